import type { MessageQueueSystem } from 'wherry';
import { DeliveryCheck, InvalidRunError } from '../harness/delivery-check.ts';
import { inLanes } from './lanes.ts';
import { type Payload, payloadsOf } from './payload.ts';

/** Numbered messages of one size in one queue. */
export interface Messages {
  readonly queue: string;
  /** The lowest number. */
  readonly first: number;
  readonly count: number;
  /** Of a payload's JSON. */
  readonly bytes: number;
}

/** A prefetch as deep as there are sends outstanding. */
const BATCH = 1_000;
const STALLED_AFTER_MS = 10_000;

/** Sends them one by one, with so many outstanding; ends when all are durable. */
export async function sendMessages(
  mq: MessageQueueSystem,
  { queue, first, count, bytes }: Messages,
  outstanding: number,
): Promise<void> {
  const payloadOf = payloadsOf(bytes);
  await inLanes(count, outstanding, (index) =>
    mq.sendMessage(queue, { payload: payloadOf(first + index) }),
  );
}

/** Sends them batch after batch: stored in the order of their numbers, whatever the store. */
export async function sendInOrder(
  mq: MessageQueueSystem,
  { queue, first, count, bytes }: Messages,
): Promise<void> {
  const payloadOf = payloadsOf(bytes);
  for (let sent = 0; sent < count; sent += BATCH) {
    const length = Math.min(BATCH, count - sent);
    const messages = Array.from({ length }, (_, n) => ({ payload: payloadOf(first + sent + n) }));
    for (const result of await mq.sendBatch(queue, messages)) if (!result.ok) throw result.error;
  }
}

/**
 * Receives and acknowledges them with a consumer; ends when all acknowledgements are durable.
 * @param stalledAfter milliseconds without a message after which no more are awaited
 * @throws InvalidRunError when one of them does not come exactly once
 */
export async function consumeMessages(
  mq: MessageQueueSystem,
  { queue, first, count }: Messages,
  stalledAfter: number = STALLED_AFTER_MS,
): Promise<void> {
  const check = new DeliveryCheck(first, count);
  const ended = new AbortController();
  const consumer = await mq.createConsumer<Payload>({
    id: 'bench',
    queueName: queue,
    batchSize: BATCH,
    concurrency: BATCH,
    autoStart: false,
    handler: async (delivery) => {
      check.mark(delivery.payload.number);
      if (!check.isComplete || ended.signal.aborted) return;
      // What comes after these is not of this run.
      consumer.pause();
      ended.abort();
    },
  });
  consumer.start();
  await endOrStall(ended.signal, () => check.count, stalledAfter);
  await mq.consumerManager.stopConsumer(consumer.id);
  check.verify();
}

/** @throws InvalidRunError when not so many messages are stored */
export async function expectStored(
  mq: MessageQueueSystem,
  queue: string,
  count: number,
): Promise<void> {
  const { messageCount } = await mq.getQueueInfo(queue);
  if (messageCount === count) return;
  throw new InvalidRunError(`The queue holds ${messageCount} messages; it must hold ${count}.`);
}

/** Resolves when `signal` fires, or when `progress` stood still for so many milliseconds. */
async function endOrStall(
  signal: AbortSignal,
  progress: () => number,
  stalledAfter: number,
): Promise<void> {
  await new Promise<void>((resolve) => {
    let before = -1;
    const watch = setInterval(() => {
      if (progress() === before) end();
      before = progress();
    }, stalledAfter);
    const end = (): void => {
      clearInterval(watch);
      resolve();
    };
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
