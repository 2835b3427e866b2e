import {
  brokerPort,
  type BrokerPort,
  type Driver,
  type ExchangeType,
  type MessageQueueSystem,
} from 'wherry';
import { tableOf } from '../../../protocols/amqp/table.ts';
import { definitionLimitsOf } from '../../../vhosts/definition-limits.ts';
import { LateDefinitions } from '../../../vhosts/late-definitions.ts';
import type { AmqpContext, AmqpVhost } from '../contracts.ts';
import { DirectReplies } from '../messages/direct-replies.ts';
import { ExchangeRegistry } from './exchange-registry.ts';
import { Feeds } from '../messages/feeds.ts';
import { removeTransient } from './leftovers.ts';
import { joinPeers } from '../peers/join-peers.ts';
import { Peers } from '../peers/peers.ts';
import { SharedConsumers } from '../peers/shared-consumers.ts';
import { QueueRegistry } from './queue-registry.ts';

interface Predeclared {
  readonly name: string;
  readonly type: ExchangeType;
  readonly internal: boolean;
}

/** Exchanges that every virtual host has, beside the default one. */
const PREDECLARED: readonly Predeclared[] = [
  { name: 'amq.direct', type: 'direct', internal: false },
  { name: 'amq.fanout', type: 'fanout', internal: false },
  { name: 'amq.topic', type: 'topic', internal: false },
  { name: 'amq.headers', type: 'headers', internal: false },
  { name: 'amq.match', type: 'headers', internal: false },
  { name: 'amq.rabbitmq.trace', type: 'topic', internal: true },
];

/** A broker that hangs for a moment keeps the messages that its clients have in hand. */
const LEASE_PER_TIMEOUT = 2;

/**
 * Begins to serve a virtual host over AMQP.
 * @throws StorageError
 */
export async function makeVhost(
  name: string,
  mq: MessageQueueSystem,
  context: AmqpContext,
): Promise<AmqpVhost> {
  const port = brokerPort(mq);
  const { logger, telemetry } = context;
  const onError = (error: unknown): void => {
    telemetry.countError(error);
    logger.error({ vhost: name, err: error }, 'A virtual host is not tidied up as it should be');
  };
  const parts = { name, mq, port, context, onError };
  const peers = await openPeers(parts);
  try {
    return await beginVhost(parts, peers);
  } catch (error) {
    await peers?.close();
    throw error;
  }
}

interface VhostParts {
  readonly name: string;
  readonly mq: MessageQueueSystem;
  readonly port: BrokerPort;
  readonly context: AmqpContext;
  readonly onError: (error: unknown) => void;
}

/** @param peers null: no other broker has the store */
async function beginVhost(
  { name, mq, port, context, onError }: VhostParts,
  peers: Peers | null,
): Promise<AmqpVhost> {
  const { config, instance, logger, telemetry } = context;
  const countError = (error: unknown): void => telemetry.countError(error);
  const shared = peers && new SharedConsumers({ peers, onError });
  const limits = definitionLimitsOf(name, mq, config.limits);
  const queues = new QueueRegistry({ vhost: name, mq, port, limits, instance, shared, onError });
  // Where brokers share a store, it is the others' too: they may be using what looks left behind.
  if (peers === null) await removeTransient(mq, port);
  else await joinPeers(peers, { shared: shared!, mq, port, queues });
  const exchanges = new ExchangeRegistry({ vhost: name, mq, port, limits, onError });
  const sharedLease = config.amqp.brokerTimeout * LEASE_PER_TIMEOUT;
  const feeds = new Feeds({ port, vhost: name, instance, sharedLease, logger, countError });
  for (const exchange of PREDECLARED) await predeclare(exchanges, port, exchange);
  // Some may have lost their last binding with what was removed.
  await exchanges.settled();
  const late = new LateDefinitions(mq);
  const replyTo = new DirectReplies({ port, feeds, instance, mq, late });
  const close = async (): Promise<void> => {
    await replyTo.close();
    feeds.close();
    queues.close();
    exchanges.close();
    shared?.close();
    await peers?.close();
  };
  return { name, mq, port, queues, exchanges, feeds, replyTo, late, close };
}

/** @returns null: no other broker has the store @throws StorageError */
async function openPeers({ name, mq, port, context, onError }: VhostParts): Promise<Peers | null> {
  if (!port.supports.shared) return null;
  const { config, instance, logger } = context;
  const store = mq.storage as Driver;
  const onDeath = (broker: string): void => {
    logger.warn({ vhost: name, broker }, 'Another broker is dead: what it had is cleared');
  };
  return Peers.open({ store, instance, timeout: config.amqp.brokerTimeout, onError, onDeath });
}

async function predeclare(
  exchanges: ExchangeRegistry,
  port: BrokerPort,
  exchange: Predeclared,
): Promise<void> {
  // One that somebody has made otherwise, over HTTP, stays as it is.
  if (port.findExchange(exchange.name) !== undefined) return;
  await exchanges.declare({
    ...exchange,
    isPredeclared: true,
    durable: true,
    autoDelete: false,
    arguments: tableOf({}),
  });
}
