/**
 * Which message waits under an id whose next message takes its place. `lasts` names it from its
 * arrival to its first lease; its record says that it may be named there.
 */
import { get48, number48Key, textKey } from './keys.ts';
import type { QueueState } from './queue-state.ts';
import type { StoredRecord } from './record.ts';
import { locate, type Located } from './spaces.ts';
import type { LmdbStore } from './store.ts';
import { read } from './tables.ts';

/** @returns what waits under the id, or undefined */
export function findReplaceable(
  store: LmdbStore,
  queue: QueueState,
  deduplicationId: string,
): Located | undefined {
  const last = read(store.tables.lasts, textKey(queue.number, deduplicationId));
  if (last === undefined) return undefined;
  const sequence = get48(last, 0);
  return queue.leases.has(sequence) ? undefined : locate(store, queue, sequence);
}

export function makeReplaceable(
  store: LmdbStore,
  queue: QueueState,
  deduplicationId: string,
  sequence: number,
): void {
  store.tables.lasts.putSync(textKey(queue.number, deduplicationId), number48Key(sequence));
}

/** The message is not replaced any more: it is leased, or it goes. */
export function keepLast(
  store: LmdbStore,
  queue: QueueState,
  { deduplicationId }: StoredRecord,
  sequence: number,
): void {
  const key = textKey(queue.number, deduplicationId ?? '');
  const last = read(store.tables.lasts, key);
  // Another one may be named by now: the record of one that was leased is not rewritten.
  if (last !== undefined && get48(last, 0) === sequence) store.tables.lasts.removeSync(key);
}
