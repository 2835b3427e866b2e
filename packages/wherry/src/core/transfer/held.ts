import {
  type Driver,
  NEVER,
  type QueueRef,
  type ReleaseItem,
  type StoredMessage,
} from '../driver.ts';
import type { Lease } from '../message.ts';

/** A message in the hands of a transfer, of this run or of one before it. */
export type Held = StoredMessage & { readonly lease: Lease };

/**
 * Back to where it was before it was taken: with its delay, parked if it was parked, uncounted.
 * @param now by the store that holds it
 */
export function putBack(message: Held, queue: QueueRef, now: number): ReleaseItem {
  return { ...release(message, queue), delay: delayOf(message, now), parked: message.parked };
}

/** Out of reach of consumers for good: nobody can know what was in it. */
export function setAside(message: Held, queue: QueueRef): ReleaseItem {
  const error = 'The body does not match its checksum: it cannot be moved.';
  const parked = { queue: queue.name, reason: 'invalid', error } as const;
  return { ...release(message, queue), delay: Infinity, parked };
}

export async function releaseAll(driver: Driver, items: readonly ReleaseItem[]): Promise<void> {
  if (items.length > 0) await driver.release(items);
}

/** @returns milliseconds until it becomes available; Infinity: never by itself */
function delayOf({ availableAt }: StoredMessage, now: number): number {
  return availableAt >= NEVER ? Infinity : Math.max(0, availableAt - now);
}

function release({ id, lease }: Held, queue: QueueRef): Omit<ReleaseItem, 'delay'> {
  return { receipt: { queue, id, token: lease.token }, as: 'unstarted' };
}
