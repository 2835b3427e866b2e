import { appendDeath } from '../../core/deaths.ts';
import type { Evicted, QueueRef } from '../../core/driver.ts';
import { storeMoved } from './arrival.ts';
import { removeUnleased } from './departure.ts';
import { nextToEvict } from './oldest.ts';
import type { QueueState } from './queue-state.ts';
import type { LmdbStore } from './store.ts';

export type Limit = 'maxSize' | 'maxBytes';

/** @returns the bound that has no room for one more message of so many bytes, or null (G8) */
export function exceeded(queue: QueueState, ref: QueueRef, bytes: number): Limit | null {
  const { counters, leases, leasedBytes } = queue;
  const isBoundOnAll = ref.boundOn === 'stored';
  const size = isBoundOnAll ? counters.total : counters.total - leases.size;
  if (size + 1 > ref.maxSize) return 'maxSize';
  const stored = isBoundOnAll ? counters.bytes : counters.bytes - leasedBytes;
  return stored + bytes > ref.maxBytes ? 'maxBytes' : null;
}

/**
 * Drops the oldest until there is room, where the queue says so.
 * @param evicted gets what was dropped
 * @returns null, or the bound that has no room: the caller takes back what was dropped then
 */
export function makeRoom(
  store: LmdbStore,
  queue: QueueState,
  ref: QueueRef,
  bytes: number,
  evicted: Evicted[],
  now: number,
): Limit | null {
  if (bytes > ref.maxBytes) return 'maxBytes';
  for (;;) {
    const limit = exceeded(queue, ref, bytes);
    if (limit === null) return null;
    if (ref.overflow !== 'drop-oldest' || !evict(store, queue, ref, evicted, now)) return limit;
  }
}

/** @returns whether something could be dropped: it must have a place to go to */
function evict(
  store: LmdbStore,
  queue: QueueState,
  ref: QueueRef,
  evicted: Evicted[],
  now: number,
): boolean {
  const victim = nextToEvict(store, queue);
  if (victim === undefined) return false;
  const { item, record } = victim;
  const { evictTo } = ref;
  const target = evictTo === null ? null : store.find(evictTo);
  // A dead-letter queue drops nothing to make room for what another queue drops.
  if (target === undefined) return false;
  if (target !== null && exceeded(target, evictTo!, item.bytes) !== null) return false;
  removeUnleased(store, queue, victim, ref, now);
  if (target !== null) {
    const deaths = appendDeath(record.deaths, { queue: queue.name, reason: 'overflow' }, now);
    const publishId = record.publishId ?? item.id;
    storeMoved(store, target, evictTo!, record, item.id, publishId, deaths, now);
  }
  evicted.push({ id: item.id, queue: ref.name, movedTo: evictTo?.name ?? null });
  return true;
}
