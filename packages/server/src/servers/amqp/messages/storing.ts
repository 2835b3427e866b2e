import { type BrokerPort, type NewMessage, QueueFullError, QueueNotFoundError } from 'wherry';
import type { ChannelState } from './channel-state.ts';
import { HAND_OVER_MS } from '../definitions/queue-arguments.ts';
import { memoryOf } from '../connection/publish-budget.ts';
import { queueTraits } from '../definitions/queue-traits.ts';

type Done = (error: Error | null) => void;
type DeathReason = 'expired' | 'overflow';

/**
 * Stores what was published, and answers it once it is stored, or refused.
 * @param tag of the confirm; 0: there is none
 */
export function store(
  channel: ChannelState,
  tag: number,
  queues: readonly string[],
  message: NewMessage,
): void {
  const turnedAway = queues.find((name) => reasonToDie(channel, name, message) !== null);
  if (turnedAway !== undefined) {
    const reason = reasonToDie(channel, turnedAway, message)!;
    refused(channel, tag, { queue: turnedAway, reason }, without(queues, turnedAway), message);
    return;
  }
  const { host } = channel;
  // A store has a copy for each queue until it is written.
  const bytes = memoryOf(message) * queues.length;
  host.hold(bytes);
  channel.outstanding.begin();
  host.vhost.feeds.acknowledgements.flush();
  publishTo(host.vhost.port, queues, withTime(message), (error) => {
    host.release(bytes);
    if (error !== null) failed(channel, tag, queues, message, error);
    else if (tag !== 0) channel.confirms?.end(tag, true);
    channel.outstanding.end();
  });
}

/** @returns why the queue does not take the message, even though it may have room; null: it does */
export function reasonToDie(
  { host }: ChannelState,
  queueName: string,
  { ttl }: NewMessage,
): DeathReason | null {
  const { feeds, port } = host.vhost;
  const queue = port.findQueue(queueName);
  if (queue === undefined) return null;
  const { forbidsWaiting, overflow } = queueTraits(queue);
  if (ttl !== 0 && forbidsWaiting === null) return null;
  if (forbidsWaiting === 'overflow' && overflow !== 'drop-head') return 'overflow';
  // What must not wait is for consumers that wait for it.
  return feeds.isWaiting(queueName) ? null : (forbidsWaiting ?? 'expired');
}

/** What has no time lives until those who wait for it have it. */
export function withTime(message: NewMessage): NewMessage {
  return message.ttl === 0 ? { ...message, ttl: HAND_OVER_MS } : message;
}

function publishTo(
  port: BrokerPort,
  queues: readonly string[],
  message: NewMessage,
  done: Done,
): void {
  if (queues.length === 1 || port.supports.atomicFanOut === true) {
    port.publish(queues, message, done);
    return;
  }
  // The store cannot put it into several queues at once: into one after the other, then.
  let left = queues.length;
  let failure: Error | null = null;
  for (const queue of queues) {
    port.publish([queue], message, (error) => {
      // The queue was deleted meanwhile, and the message with it.
      if (!(error instanceof QueueNotFoundError)) failure ??= error;
      if (--left === 0) done(failure);
    });
  }
}

function failed(
  channel: ChannelState,
  tag: number,
  queues: readonly string[],
  message: NewMessage,
  error: Error,
): void {
  const { confirms, host } = channel;
  // What cannot be stored in all at once was offered to each by itself.
  const isAtomic = host.vhost.port.supports.atomicFanOut === true;
  if (error instanceof QueueNotFoundError) {
    // The queue was deleted meanwhile, and the message with it.
    const others = isAtomic ? without(queues, error.queueName) : [];
    if (others.length > 0 && others.length < queues.length) store(channel, tag, others, message);
    else if (tag !== 0) confirms?.end(tag, true);
    return;
  }
  if (error instanceof QueueFullError) {
    const others = isAtomic ? without(queues, error.queueName) : [];
    refused(channel, tag, { queue: error.queueName, reason: 'overflow' }, others, message);
    return;
  }
  notStored(channel, tag, queues, error);
}

/** The store has failed: the client is told, and the log. */
export function notStored(
  { confirms, host }: ChannelState,
  tag: number,
  queues: readonly string[],
  error: unknown,
): void {
  if (tag !== 0) confirms?.end(tag, false);
  const { logger, telemetry } = host.broker;
  telemetry.countError(error);
  logger.error(
    { vhost: host.vhost.name, connection: host.connectionId, queues, err: error },
    'A message that was published could not be stored',
  );
}

/** Each queue takes or refuses a message by itself; who publishes hears of one that refuses. */
function refused(
  channel: ChannelState,
  tag: number,
  by: { readonly queue: string; readonly reason: DeathReason },
  others: readonly string[],
  message: NewMessage,
): void {
  const { host, outstanding } = channel;
  const { feeds, port } = host.vhost;
  const queue = port.findQueue(by.queue);
  const overflow = queue === undefined ? 'drop-head' : queueTraits(queue).overflow;
  const isTold = by.reason === 'overflow' && overflow !== 'drop-head';
  const answersHere = isTold || others.length === 0;
  const answer = (): void => {
    if (answersHere && tag !== 0) channel.confirms?.end(tag, !isTold);
  };
  if (others.length > 0) store(channel, isTold ? 0 : tag, others, message);
  if (isTold && overflow === 'reject-publish') return answer();
  const bytes = memoryOf(message);
  host.hold(bytes);
  outstanding.begin();
  port.bury(by.queue, message, by.reason, (error) => {
    host.release(bytes);
    feeds.settled(error);
    answer();
    outstanding.end();
  });
}

function without(queues: readonly string[], queue: string): readonly string[] {
  return queues.filter((one) => one !== queue);
}
