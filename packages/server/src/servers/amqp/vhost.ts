import { brokerPort, type BrokerPort, type ExchangeType, type MessageQueueSystem } from 'wherry';
import { tableOf } from '../../protocols/amqp/table.ts';
import { LateDefinitions } from '../../vhosts/late-definitions.ts';
import type { AmqpContext, AmqpVhost } from './contracts.ts';
import { DirectReplies } from './direct-replies.ts';
import { ExchangeRegistry } from './exchange-registry.ts';
import { exchangeTraits } from './exchange-traits.ts';
import { Feeds } from './feeds.ts';
import { QueueRegistry } from './queue-registry.ts';
import { queueTraits } from './queue-traits.ts';
import { isNotFound } from './refuse.ts';

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
  const { instance, logger, telemetry } = context;
  const countError = (error: unknown): void => telemetry.countError(error);
  const onError = (error: unknown): void => {
    countError(error);
    logger.error({ vhost: name, err: error }, 'A queue or an exchange could not be deleted');
  };
  // Where brokers share a store, it is the others' too: they may be using what looks left behind.
  if (!port.supports.shared) await removeTransient(mq, port);
  const exchanges = new ExchangeRegistry({ vhost: name, mq, port, onError });
  const queues = new QueueRegistry({ vhost: name, mq, port, instance, onError });
  const feeds = new Feeds({ port, vhost: name, instance, logger, countError });
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
  };
  return { name, mq, port, queues, exchanges, feeds, replyTo, late, close };
}

/** What does not survive a broker's end, and was there when it ended. */
async function removeTransient(mq: MessageQueueSystem, port: BrokerPort): Promise<void> {
  const queues = port.queues().filter((queue) => {
    const { durable, exclusive } = queueTraits(queue);
    return !durable || exclusive;
  });
  for (const { name } of queues) await unlessGone(mq.deleteQueue(name, { force: true }));
  const exchanges = port.exchanges().filter((exchange) => !exchangeTraits(exchange).durable);
  for (const { name } of exchanges) await unlessGone(mq.deleteExchange(name));
}

async function unlessGone(deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
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
    durable: true,
    autoDelete: false,
    arguments: tableOf({}),
  });
}
