import { appendDeath } from '../../core/deaths.ts';
import type { Evicted, QueueRef } from '../../core/driver.ts';
import type { Death } from '../../core/message.ts';
import { createRecord, frozenDeaths, type MessageRecord } from './record.ts';
import type { MemoryStore } from './store.ts';

export type Limit = 'maxSize' | 'maxBytes';

/**
 * Makes room for one message in a queue (G8), by dropping its oldest if the queue does so.
 * @param evicted gets what was dropped
 * @returns null, or the bound that leaves no room; what was dropped until then must be undone
 */
export function makeRoom(
  store: MemoryStore,
  ref: QueueRef,
  bytes: number,
  evicted: Evicted[],
  now: number,
): Limit | null {
  if (bytes > ref.maxBytes) return 'maxBytes';
  for (;;) {
    const limit = exceededLimit(store, ref, bytes);
    if (limit === null) return null;
    if (ref.overflow !== 'drop-oldest' || !evict(store, ref, evicted, now)) return limit;
  }
}

function exceededLimit(store: MemoryStore, ref: QueueRef, bytes: number): Limit | null {
  const queue = store.queue(ref);
  const isBoundOnAll = ref.boundOn === 'stored';
  const size = isBoundOnAll ? queue.size : queue.size - queue.leased;
  if (size + 1 > ref.maxSize) return 'maxSize';
  const stored = isBoundOnAll ? queue.bytes : queue.bytes - queue.leasedBytes;
  return stored + bytes > ref.maxBytes ? 'maxBytes' : null;
}

/**
 * A dead-letter queue drops nothing to make room for what another queue drops.
 * @returns whether something could be dropped
 */
function evict(store: MemoryStore, ref: QueueRef, evicted: Evicted[], now: number): boolean {
  const { evictTo } = ref;
  const record = store.queue(ref).nextToEvict();
  if (record === undefined) return false;
  if (evictTo !== null) {
    const isThere = store.find(evictTo) !== undefined;
    if (!isThere || exceededLimit(store, evictTo, record.bytes) !== null) return false;
  }
  store.remove(record, ref, now);
  if (evictTo !== null) {
    const death = { queue: ref.name, reason: 'overflow' } as const;
    const deaths = appendDeath(record.deaths, death, now);
    store.insert(transferred(store, record, evictTo, record.id, deaths, now), evictTo, now);
  }
  evicted.push({ id: record.id, queue: ref.name, movedTo: evictTo?.name ?? null });
  return true;
}

/**
 * @param id the one it keeps; null: it is a copy, and gets its own
 * @returns the record as it arrives in another queue: ready, with a new life (G7)
 */
export function transferred(
  store: MemoryStore,
  record: MessageRecord,
  target: QueueRef,
  id: string | null,
  deaths: readonly Death[],
  now: number,
): MessageRecord {
  const queue = store.queue(target);
  const sequence = queue.nextSequence();
  return createRecord({
    id: id ?? queue.createId(now, sequence),
    publishId: record.publishId,
    queue,
    sequence,
    encoding: record.encoding,
    body: record.body,
    bytes: record.bytes,
    properties: record.properties,
    priority: Math.min(record.priority, target.maxPriority),
    groupId: record.groupId,
    deduplicationId: record.deduplicationId,
    timestamp: record.timestamp,
    availableAt: now,
    expiresAt: expiryAt(now, null, target),
    deaths: frozenDeaths(deaths),
    isReplaceable: false,
  });
}

/**
 * @param availableAt milliseconds since 1970 of first availability
 * @param ttl the message's own, in milliseconds
 * @returns when it ends by its own TTL or the queue's, whichever is shorter; null: never
 */
export function expiryAt(availableAt: number, ttl: number | null, queue: QueueRef): number | null {
  const shortest = Math.min(ttl ?? Infinity, queue.messageTtl ?? Infinity);
  return shortest === Infinity ? null : availableAt + shortest;
}
