import { GROUP } from './item.ts';
import { get48, placeKeyMaker, scheduledKeyMaker, SEQUENCE_LIMIT } from './keys.ts';
import type { QueueState } from './queue-state.ts';
import type { StoredRecord } from './record.ts';
import { locate, type Located, mainRange, placeInMain } from './spaces.ts';
import type { LmdbStore } from './store.ts';

const placeKey = placeKeyMaker();
const scheduledKey = scheduledKeyMaker();

/** @returns the sequence of the oldest ready message, or undefined */
function oldestReady(store: LmdbStore, queue: QueueState): number | undefined {
  let oldest = firstWaiting(store, queue) ?? Number.POSITIVE_INFINITY;
  for (const priority of queue.counters.main.keys()) {
    oldest = Math.min(oldest, firstInMain(store, queue, priority) ?? Number.POSITIVE_INFINITY);
  }
  return oldest === Number.POSITIVE_INFINITY ? undefined : oldest;
}

/** What `drop-oldest` drops next: the oldest ready one, else the scheduled one due first. */
export function nextToEvict(store: LmdbStore, queue: QueueState): Located | undefined {
  const sequence = oldestReady(store, queue) ?? firstScheduled(store, queue);
  return sequence === undefined ? undefined : locate(store, queue, sequence);
}

function firstInMain(store: LmdbStore, queue: QueueState, priority: number): number | undefined {
  const cursor = queue.scan.cursor(priority);
  if (queue.counters.mainTotal === queue.leasedMain) return undefined;
  const range = mainRange(queue, priority, cursor.floor, SEQUENCE_LIMIT);
  for (const key of store.tables.messages.getKeys({ ...range, snapshot: false })) {
    const { sequence } = placeInMain(key);
    cursor.floor = sequence;
    if (!queue.leases.has(sequence)) return sequence;
  }
  return undefined;
}

function firstWaiting(store: LmdbStore, queue: QueueState): number | undefined {
  if (queue.counters.waiting === queue.leasedWaiting) return undefined;
  const start = Buffer.from(placeKey(queue.number, GROUP, 0));
  const end = Buffer.from(placeKey(queue.number, GROUP + 1, 0));
  for (const key of store.tables.places.getKeys({ start, end, snapshot: false })) {
    const sequence = get48(key, 5);
    if (!queue.leases.has(sequence)) return sequence;
  }
  return undefined;
}

function firstScheduled(store: LmdbStore, queue: QueueState): number | undefined {
  if (queue.scheduled === 0) return undefined;
  const start = Buffer.from(scheduledKey(queue.number, 0, 0));
  const end = Buffer.from(scheduledKey(queue.number + 1, 0, 0));
  for (const key of store.tables.scheduled.getKeys({ start, end, snapshot: false })) {
    const sequence = get48(key, 10);
    if (!queue.leases.has(sequence)) return sequence;
  }
  return undefined;
}

/** @returns when the longest-waiting ready message was stored; null: none is ready */
export function oldestTimestamp(store: LmdbStore, queue: QueueState): number | null {
  if (queue.ready === 0) return null;
  const sequence = oldestReady(store, queue);
  const found: { readonly record: StoredRecord } | undefined =
    sequence === undefined ? undefined : locate(store, queue, sequence);
  return found?.record.timestamp ?? null;
}
