import { appendDeath } from '../../core/deaths.ts';
import type { Evicted, QueueRef } from '../../core/driver.ts';
import { createRecord, frozenDeaths, type MessageRecord } from './record.ts';
import type { MemoryStore } from './store.ts';
import type { Death } from '../../core/message.ts';
import type { MemoryQueue } from './queue.ts';

export type Limit = 'maxSize' | 'maxBytes';

interface Victim {
  readonly record: MessageRecord;
  readonly moveTo: QueueRef | null;
}

interface Planned {
  messages: number;
  bytes: number;
}

/**
 * Finds room before anything is stored, so that a refusal changes nothing (G8, G13). Messages to be
 * dropped are withheld at once; `abort` puts them back, `commit` lets them go.
 */
export class RoomPlan {
  readonly #store: MemoryStore;
  readonly #now: number;
  readonly #planned = new Map<number, Planned>();
  readonly #victims: Victim[] = [];

  constructor(store: MemoryStore, now: number) {
    this.#store = store;
    this.#now = now;
  }

  /**
   * Sets room aside for one message.
   * @param evicted gets what must be dropped for it
   * @returns null, or the bound that has no room
   */
  reserve(ref: QueueRef, bytes: number, evicted: Evicted[]): Limit | null {
    if (ref.maxSize === Infinity && ref.maxBytes === Infinity) return null;
    if (bytes > ref.maxBytes) return 'maxBytes';
    for (;;) {
      const limit = this.#exceeded(ref, bytes);
      if (limit === null) break;
      if (ref.overflow !== 'drop-oldest' || !this.#evict(ref, evicted)) return limit;
    }
    this.#count(ref, bytes);
    return null;
  }

  commit(): void {
    const now = this.#now;
    for (const { record, moveTo } of this.#victims) {
      this.#store.messages.delete(record.id);
      record.queue.complete(record, now);
      this.#store.notifyLeft(record);
      if (moveTo === null) continue;
      const death = { queue: record.queue.name, reason: 'overflow' } as const;
      const deaths = appendDeath(record.deaths, death, now);
      this.#store.insert(transferred(this.#store, record, moveTo, record.id, deaths, now), now);
    }
  }

  abort(): void {
    for (const { record } of this.#victims.toReversed()) record.queue.restore(record);
  }

  #exceeded(ref: QueueRef, bytes: number): Limit | null {
    const queue = this.#store.queue(ref);
    const planned = this.#planned.get(ref.number);
    if (queue.size + (planned?.messages ?? 0) + 1 > ref.maxSize) return 'maxSize';
    if (queue.bytes + (planned?.bytes ?? 0) + bytes > ref.maxBytes) return 'maxBytes';
    return null;
  }

  #count(ref: QueueRef, bytes: number): void {
    const planned = this.#planned.get(ref.number) ?? { messages: 0, bytes: 0 };
    planned.messages += 1;
    planned.bytes += bytes;
    this.#planned.set(ref.number, planned);
  }

  /** @returns whether something could be dropped: it must have a place to go to */
  #evict(ref: QueueRef, evicted: Evicted[]): boolean {
    const record = this.#store.queue(ref).nextToEvict();
    if (record === undefined) return false;
    const moveTo = ref.evictTo;
    if (moveTo !== null && !this.#reserveForVictim(moveTo, record)) return false;
    record.queue.withhold(record);
    this.#victims.push({ record, moveTo });
    evicted.push({ id: record.id, queue: ref.name, movedTo: moveTo?.name ?? null });
    return true;
  }

  /** A dead-letter queue drops nothing to make room for what another queue drops. */
  #reserveForVictim(ref: QueueRef, record: MessageRecord): boolean {
    if (this.#store.find(ref) === undefined) return false;
    return this.reserve({ ...ref, overflow: 'reject' }, record.bytes, []) === null;
  }
}

/** @returns the record as it arrives in another queue: ready, with a new life (G7) */
export function transferred(
  store: MemoryStore,
  record: MessageRecord,
  target: QueueRef,
  id: string | null,
  deaths: readonly Death[],
  now: number,
): MessageRecord {
  const queue: MemoryQueue = store.queue(target);
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
    priority: record.priority,
    groupId: record.groupId,
    deduplicationId: record.deduplicationId,
    timestamp: record.timestamp,
    availableAt: now,
    expiresAt: expiryAt(now, null, target),
    deaths: frozenDeaths(deaths),
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
