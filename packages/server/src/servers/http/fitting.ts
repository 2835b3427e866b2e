import type { Delivery, MessageQueueSystem } from 'wherry';

interface Size {
  /** Of a message, on average; 0 when the queue is small as a whole. */
  readonly mean: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** A queue's messages do not become larger on average any sooner. */
const KNOWN_MS = 1_000;

const known = new WeakMap<MessageQueueSystem, Map<string, Size>>();

/**
 * So many of a queue's messages as fit into a response, by their average size: a thousand large ones
 * would not.
 * @param bytesMax of a response
 * @returns 1 to `wanted`
 * @throws QueueNotFoundError, StorageError
 */
export async function countFitting(
  mq: MessageQueueSystem,
  queue: string,
  wanted: number,
  bytesMax: number,
): Promise<number> {
  if (wanted <= 1) return wanted;
  const { mean } = await sizeOf(mq, queue, bytesMax);
  return mean === 0 ? wanted : Math.max(1, Math.min(wanted, Math.floor(bytesMax / mean)));
}

/**
 * Whether all of a queue's messages fit into a response.
 * @throws QueueNotFoundError, StorageError
 */
export async function fitsWhole(
  mq: MessageQueueSystem,
  queue: string,
  bytesMax: number,
): Promise<boolean> {
  return (await sizeOf(mq, queue, bytesMax)).mean === 0;
}

/** Divides what was received: what a response has room for, and the rest. */
export function divide(
  deliveries: readonly Delivery[],
  bytesMax: number,
): {
  readonly fitting: readonly Delivery[];
  readonly rest: readonly Delivery[];
  readonly bytes: number;
} {
  let bytes = 0;
  for (const [i, { stored }] of deliveries.entries()) {
    if (i > 0 && bytes + stored.bytes > bytesMax) {
      return { fitting: deliveries.slice(0, i), rest: deliveries.slice(i), bytes };
    }
    bytes += stored.bytes;
  }
  return { fitting: deliveries, rest: [], bytes };
}

async function sizeOf(mq: MessageQueueSystem, queue: string, bytesMax: number): Promise<Size> {
  let sizes = known.get(mq);
  if (sizes === undefined) known.set(mq, (sizes = new Map()));
  const now = Date.now();
  const before = sizes.get(queue);
  if (before !== undefined && now - before.at < KNOWN_MS) return before;
  const { bytes, messageCount } = await mq.getQueueInfo(queue);
  const size = { mean: bytes <= bytesMax ? 0 : bytes / messageCount, at: now };
  // Queues that are gone must not stay here.
  if (sizes.size > mq.listQueues().length) sizes.clear();
  sizes.set(queue, size);
  return size;
}
