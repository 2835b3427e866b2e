import type { QueueState } from './queue-state.ts';
import { get48, put48, textKey, timedKey } from './keys.ts';
import type { LmdbStore } from './store.ts';
import { firstEntry, read } from './tables.ts';

const PRESENT = Uint8Array.of(1);
const ID_BYTES = 16;

/** @returns the id that this deduplicationId got, as long as it is remembered (G12) */
export function findSent(
  store: LmdbStore,
  queue: QueueState,
  deduplicationId: string,
  now: number,
): string | undefined {
  const sent = read(store.tables.dedup, textKey(queue.number, deduplicationId));
  if (sent === undefined || get48(sent, 0) <= now) return undefined;
  return Buffer.from(sent.buffer, sent.byteOffset + 6, ID_BYTES).toString('hex');
}

export function rememberSent(
  store: LmdbStore,
  queue: QueueState,
  deduplicationId: string,
  id: string,
  until: number,
): void {
  const { dedup, dedupTimes } = store.tables;
  const key = textKey(queue.number, deduplicationId);
  const before = read(dedup, key);
  if (before !== undefined) dedupTimes.removeSync(timedKey(get48(before, 0), key));
  const value = Buffer.allocUnsafe(6 + ID_BYTES);
  put48(value, until, 0);
  value.write(id, 6, 'hex');
  dedup.putSync(key, value);
  dedupTimes.putSync(timedKey(until, key), PRESENT);
}

/** Drops what is over. @param max most records to drop @returns how many were */
export function forgetSent(store: LmdbStore, now: number, max: number): number {
  const { dedup, dedupTimes } = store.tables;
  const range = { start: timeKey(0), end: timeKey(now + 1), limit: max, snapshot: false };
  const keys = [...dedupTimes.getKeys(range)] as Uint8Array[];
  for (const key of keys) {
    dedupTimes.removeSync(key);
    dedup.removeSync(key.subarray(6));
  }
  return keys.length;
}

/** @returns when `forgetSent` has something to do; Infinity: never */
export function nextForgotten(store: LmdbStore): number {
  const first = firstEntry(store.tables.dedupTimes, timeKey(0), timeKey(2 ** 48 - 1));
  return first === undefined ? Number.POSITIVE_INFINITY : get48(first.key, 0);
}

function timeKey(time: number): Uint8Array {
  return timedKey(time, new Uint8Array(0));
}
