/**
 * Where records are put and removed, together with every index and counter that depends on it.
 * Nothing else writes to `messages`, `scheduled`, `groups`, `places`, `ids` or `expiry`.
 */
import { NEVER } from '../../core/driver.ts';
import { GROUP, type Item, itemOf, MAIN, SCHEDULED, type Space } from './item.ts';
import {
  expiryKeyMaker,
  get48,
  idKey,
  memberKey,
  messageKeyMaker,
  placeKeyMaker,
  put32,
  put48,
  scheduledKeyMaker,
  textKey,
} from './keys.ts';
import type { QueueState } from './queue-state.ts';
import { decodeRecord, encodeRecord, type StoredRecord } from './record.ts';
import type { LmdbStore } from './store.ts';
import { copyOf, read, type Table } from './tables.ts';

const messageKey = messageKeyMaker();
const scheduledKey = scheduledKeyMaker();
const placeKey = placeKeyMaker();
const expiryKey = expiryKeyMaker();

/** Enough of an item to find its record. */
export type Place = Pick<Item, 'space' | 'priority' | 'sequence' | 'due' | 'groupId'>;

/** A stored message, and where it is. */
export interface Located {
  readonly item: Item;
  readonly record: StoredRecord;
}

const NOTHING = new Uint8Array(0);
const priorityValues = Array.from({ length: 256 }, (_, priority) => Uint8Array.of(priority));

function tableOf(store: LmdbStore, space: Space): Table {
  const { messages, scheduled, groups } = store.tables;
  return space === MAIN ? messages : space === SCHEDULED ? scheduled : groups;
}

function keyOf(queue: QueueState, place: Place): Uint8Array {
  const { space, sequence } = place;
  if (space === MAIN) return messageKey(queue.number, place.priority, sequence);
  if (space === SCHEDULED) return scheduledKey(queue.number, place.due, sequence);
  return memberKey(textKey(queue.number, place.groupId ?? ''), sequence);
}

/** @returns the due time as it is in a key */
export function dueOf(record: StoredRecord): number {
  return Math.min(record.availableAt, NEVER);
}

/** new -> stored. */
export function insert(
  store: LmdbStore,
  queue: QueueState,
  record: StoredRecord,
  sequence: number,
  space: Space,
): Item {
  const item = itemOf(queue, record, sequence, space, space === SCHEDULED ? dueOf(record) : 0);
  store.touch(queue);
  queue.counters.bytes += item.bytes;
  putAt(store, queue, item, record);
  putIdAndExpiry(store, queue, item);
  return item;
}

/** new -> leased. @param lease not counted yet */
export function insertLeased(
  store: LmdbStore,
  queue: QueueState,
  lease: Item,
  record: StoredRecord,
): void {
  const { priority, sequence, bytes } = lease;
  store.touch(queue);
  queue.counters.bytes += bytes;
  const value = encodeRecord(record, queue.number, sequence);
  store.tables.messages.putSync(messageKey(queue.number, priority, sequence), value);
  queue.counters.count(MAIN, priority, 1);
  queue.scan.leased(priority, sequence);
}

/** Writes all that points at a record which is there already, for a repair. */
export function putIndexes(store: LmdbStore, queue: QueueState, item: Item): void {
  const { space, sequence } = item;
  if (space !== MAIN) {
    store.tables.places.putSync(placeKey(queue.number, space, sequence), placeValue(queue, item));
  }
  putIdAndExpiry(store, queue, item);
}

function putIdAndExpiry(store: LmdbStore, queue: QueueState, item: Item): void {
  if (item.expiry !== null) putExpiry(store, queue, item, item.expiry);
  if (!item.hasIdEntry) return;
  const value = Buffer.allocUnsafe(10);
  put32(value, queue.number, 0);
  put48(value, item.sequence, 4);
  store.tables.ids.putSync(idKey(item.id), value);
}

/** stored -> gone. */
export function remove(store: LmdbStore, queue: QueueState, item: Item): void {
  store.touch(queue);
  removeAt(store, queue, item);
  // When all are gone, an amount that a damaged record got wrong is gone too.
  const { counters } = queue;
  counters.bytes = counters.total === 0 ? 0 : counters.bytes - item.bytes;
  if (item.expiry !== null) removeExpiry(store, queue, item, item.expiry);
  if (item.hasIdEntry) store.tables.ids.removeSync(idKey(item.id));
  store.notifyRoom(queue);
}

/** Writes a record again, changed or somewhere else in its queue, or both. */
export function replace(
  store: LmdbStore,
  queue: QueueState,
  from: Item,
  record: StoredRecord,
  space: Space,
): Item {
  const item = itemOf(queue, record, from.sequence, space, space === SCHEDULED ? dueOf(record) : 0);
  store.touch(queue);
  if (from.space === space && from.due === item.due) queue.counters.count(space, item.priority, -1);
  else removeAt(store, queue, from);
  putAt(store, queue, item, record);
  if (from.expiry !== item.expiry) {
    if (from.expiry !== null) removeExpiry(store, queue, from, from.expiry);
    if (item.expiry !== null) putExpiry(store, queue, item, item.expiry);
  } else if (item.expiry !== null) {
    store.expiries.returned(item.expiry);
  }
  return item;
}

/** @returns the record at a place; null: it cannot be read; undefined: nothing is there */
export function readRecord(
  store: LmdbStore,
  queue: QueueState,
  place: Place,
): StoredRecord | null | undefined {
  const bytes = read(tableOf(store, place.space), keyOf(queue, place));
  return bytes && decodeRecord(bytes, queue.number, place.sequence);
}

/**
 * Where the message with this sequence is, whatever its state, or undefined.
 * @param priorities those in use, where the queue's counters cannot be relied on
 */
export function locate(
  store: LmdbStore,
  queue: QueueState,
  sequence: number,
  priorities: Iterable<number> = queue.counters.main.keys(),
): Located | undefined {
  const lease = queue.leases.get(sequence);
  if (lease !== undefined) return found(store, queue, lease);
  for (const priority of priorities) {
    const at = found(store, queue, { space: MAIN, priority, sequence, due: 0, groupId: null });
    if (at !== undefined) return at;
  }
  const { places } = store.tables;
  const due = read(places, placeKey(queue.number, SCHEDULED, sequence));
  if (due !== undefined) {
    const place: Place = {
      space: SCHEDULED,
      priority: 0,
      sequence,
      due: get48(due, 0),
      groupId: null,
    };
    return found(store, queue, place);
  }
  const member = read(places, placeKey(queue.number, GROUP, sequence));
  if (member === undefined) return undefined;
  const record = decodeRecord(
    read(store.tables.groups, memberKey(copyOf(member), sequence)) ?? NOTHING,
    queue.number,
    sequence,
  );
  return record === null ? undefined : { item: itemOf(queue, record, sequence, GROUP), record };
}

function found(store: LmdbStore, queue: QueueState, place: Place): Located | undefined {
  const record = readRecord(store, queue, place);
  if (record === undefined || record === null) return undefined;
  return { item: itemOf(queue, record, place.sequence, place.space, place.due), record };
}

/**
 * Takes a record that cannot be read out of the way, so that it stops nobody; `doctor` reports it.
 * Its share of `bytes` is not known: it leaves the count with the queue's last message.
 * @param key of the record; needed for `groups` only, where the place does not tell it
 */
export function setAside(
  store: LmdbStore,
  queue: QueueState,
  place: Place,
  key: Uint8Array = Buffer.from(keyOf(queue, place)),
): void {
  const table = tableOf(store, place.space);
  const bytes = read(table, key);
  if (bytes === undefined) return;
  store.touch(queue);
  const { priority, sequence, space } = place;
  store.tables.damaged.putSync(messageKey(queue.number, priority, sequence), copyOf(bytes));
  table.removeSync(key);
  if (space !== MAIN) store.tables.places.removeSync(placeKey(queue.number, space, sequence));
  queue.counters.count(space, priority, -1);
}

function putAt(store: LmdbStore, queue: QueueState, item: Item, record: StoredRecord): void {
  const { space, sequence, priority } = item;
  const value = encodeRecord(record, queue.number, sequence);
  tableOf(store, space).putSync(keyOf(queue, item), value);
  queue.counters.count(space, priority, 1);
  if (space === MAIN) {
    queue.scan.ready(priority, sequence, record.suspect);
    store.notifyReady(queue);
  } else {
    store.tables.places.putSync(placeKey(queue.number, space, sequence), placeValue(queue, item));
    if (space === SCHEDULED && item.due < queue.nextDue) queue.nextDue = item.due;
  }
}

function placeValue(queue: QueueState, item: Item): Uint8Array {
  if (item.space === GROUP) return textKey(queue.number, item.groupId ?? '');
  const value = Buffer.allocUnsafe(6);
  put48(value, item.due, 0);
  return value;
}

function removeAt(store: LmdbStore, queue: QueueState, place: Place): void {
  const { space, sequence, priority } = place;
  tableOf(store, space).removeSync(keyOf(queue, place));
  queue.counters.count(space, priority, -1);
  if (space !== MAIN) store.tables.places.removeSync(placeKey(queue.number, space, sequence));
}

function putExpiry(store: LmdbStore, queue: QueueState, item: Item, expiry: number): void {
  const key = expiryKey(expiry, queue.number, item.sequence);
  store.tables.expiry.putSync(key, priorityValues[item.priority]!);
  store.expiries.returned(expiry);
}

function removeExpiry(store: LmdbStore, queue: QueueState, item: Item, expiry: number): void {
  store.tables.expiry.removeSync(expiryKey(expiry, queue.number, item.sequence));
}

/** @returns bounds of a range over `messages`: one priority, sequences from `first` to `last` */
export function mainRange(
  queue: QueueState,
  priority: number,
  first: number,
  last: number,
): { readonly start: Uint8Array; readonly end: Uint8Array } {
  const start = Buffer.from(messageKey(queue.number, priority, first));
  return { start, end: Buffer.from(messageKey(queue.number, priority, last + 1)) };
}

/** @returns the place in `messages` of what has this key */
export function placeInMain(key: Uint8Array): Place {
  return { space: MAIN, priority: 255 - key[4]!, sequence: get48(key, 5), due: 0, groupId: null };
}
