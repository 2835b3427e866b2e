import { GROUP, itemOf, MAIN, SCHEDULED, type Space } from './item.ts';
import { expiryKeyMaker, get32, get48, idKey, numberKey, timedKey } from './keys.ts';
import { QueueState } from './queue-state.ts';
import { decodeRecord } from './record.ts';
import type { LmdbStore } from './store.ts';
import { afterPrefix, read, type Table } from './tables.ts';

const expiryKey = expiryKeyMaker();
const PRESENT = Uint8Array.of(1);

/** Most entries of a deleted queue that one commit removes, so that others get their turn. */
const CHUNK = 2_000;

/**
 * Within a job: the queue is gone, its leases are void, and what it held is removed: at once when
 * it is little, else in the commits of `digOn`.
 */
export function bury(store: LmdbStore, queue: QueueState): void {
  queue.deleted = true;
  store.onRollBack(() => {
    queue.deleted = false;
    store.buried.delete(queue.number);
  });
  for (const lease of queue.leases.values()) {
    store.leases.end(lease);
    store.markChanged(lease.mark);
  }
  store.tables.counters.removeSync(numberKey(queue.number));
  store.tables.graveyard.putSync(numberKey(queue.number), PRESENT);
  store.buried.add(queue.number);
  store.onCommit(() => store.queues.delete(queue.number));
  removeSome(store, queue.number);
}

/** Removes what deleted queues left, a commit at a time. @param isStopped ends it early */
export async function digOn(store: LmdbStore, isStopped: () => boolean): Promise<void> {
  for (const key of [...store.tables.graveyard.getKeys()] as Uint8Array[]) {
    const number = get32(key, 0);
    let hasMore = true;
    while (hasMore && !isStopped()) {
      hasMore = await store.committer.write(() => removeSome(store, number));
    }
  }
}

/** @returns whether there is more */
function removeSome(store: LmdbStore, number: number): boolean {
  const { tables } = store;
  const grave = new QueueState(number, '', store.facts.salt);
  const prefix = numberKey(number);
  let left = CHUNK;
  left -= removeRecords(store, grave, tables.messages, MAIN, left);
  left -= removeRecords(store, grave, tables.scheduled, SCHEDULED, left);
  left -= removeRecords(store, grave, tables.groups, GROUP, left);
  const { places, heads, vacant, lasts, fences, buckets, damaged } = tables;
  for (const table of [places, heads, vacant, lasts, fences, buckets, damaged]) {
    left -= removeKeys(table, prefix, left, () => undefined);
  }
  left -= removeKeys(tables.dedup, prefix, left, (key, value) => {
    tables.dedupTimes.removeSync(timedKey(get48(value, 0), key));
  });
  if (left > 0) tables.graveyard.removeSync(prefix);
  return left <= 0;
}

function removeRecords(
  store: LmdbStore,
  grave: QueueState,
  table: Table,
  space: Space,
  max: number,
): number {
  const { expiry, ids } = store.tables;
  return removeKeys(table, numberKey(grave.number), max, (key, value) => {
    const sequence = get48(key, key.length - 6);
    const record = decodeRecord(value, grave.number, sequence);
    if (record === null) return;
    const item = itemOf(grave, record, sequence, space);
    if (item.expiry !== null) {
      expiry.removeSync(expiryKey(item.expiry, grave.number, sequence));
    }
    if (!item.hasIdEntry) return;
    const place = read(ids, idKey(item.id));
    if (place !== undefined && get32(place, 0) === grave.number) ids.removeSync(idKey(item.id));
  });
}

/** @returns how many entries were removed */
function removeKeys(
  table: Table,
  prefix: Uint8Array,
  max: number,
  before: (key: Uint8Array, value: Uint8Array) => void,
): number {
  if (max <= 0) return 0;
  const keys: Uint8Array[] = [];
  const range = { start: prefix, end: afterPrefix(prefix), limit: max, snapshot: false };
  for (const key of table.getKeys(range)) keys.push(key);
  for (const key of keys) {
    const value = read(table, key);
    if (value !== undefined) before(key, value);
    table.removeSync(key);
  }
  return keys.length;
}
