/**
 * Groups: of each, only the head is where `take` looks; the others wait in `groups`. A message is
 * its group's head from the moment it may be handed out until it ends or goes back to the others;
 * while it backs off it is in `scheduled` and the group waits for it. Besides the head, a batch
 * may hold members that it took from `groups`: while any is held, nobody becomes head.
 */
import { NEVER } from '../../core/driver.ts';
import { GROUP, type Item, itemOf, MAIN, SCHEDULED, type Space } from './item.ts';
import { get48, memberKey, number48Key, textKey } from './keys.ts';
import type { QueueState } from './queue-state.ts';
import { decodeRecord, type StoredRecord } from './record.ts';
import { dueOf, replace, setAside } from './spaces.ts';
import type { LmdbStore } from './store.ts';
import { afterPrefix, firstEntry, read } from './tables.ts';

const PRESENT = Uint8Array.of(1);

export interface Member {
  readonly item: Item;
  readonly record: StoredRecord;
}

/** Where a message goes that may be handed out: it becomes its group's head, or waits. */
export function enter(
  store: LmdbStore,
  queue: QueueState,
  groupId: string | null,
  sequence: number,
): Space {
  if (groupId === null) return MAIN;
  const { heads, vacant } = store.tables;
  const key = textKey(queue.number, groupId);
  if (read(heads, key) !== undefined) return GROUP;
  if (queue.heldBesideHead.has(groupId)) {
    vacant.putSync(key, PRESENT);
    return GROUP;
  }
  heads.putSync(key, number48Key(sequence));
  return MAIN;
}

/**
 * The group goes on after a member left that was its head or held.
 * @param wasHead whether it was the head; the lease has ended already
 */
export function leave(
  store: LmdbStore,
  queue: QueueState,
  groupId: string,
  wasHead: boolean,
  now: number,
): void {
  const { heads, vacant } = store.tables;
  const key = textKey(queue.number, groupId);
  if (wasHead) heads.removeSync(key);
  else if (read(heads, key) !== undefined) return;
  if (queue.heldBesideHead.has(groupId)) vacant.putSync(key, PRESENT);
  else open(store, queue, key, now);
}

/** Makes the first of those who wait the head. Nobody is head and nobody is held. */
export function open(store: LmdbStore, queue: QueueState, key: Uint8Array, now: number): void {
  const { heads, vacant } = store.tables;
  const next = firstWaiting(store, queue, key);
  vacant.removeSync(key);
  if (next === undefined) return;
  const { item, record } = next;
  heads.putSync(key, number48Key(item.sequence));
  const isDue = record.availableAt <= now;
  replace(store, queue, item, { ...record, blocksGroup: !isDue }, isDue ? MAIN : SCHEDULED);
}

/** The first who waits, or undefined. Records that cannot be read are set aside. */
function firstWaiting(store: LmdbStore, queue: QueueState, key: Uint8Array): Member | undefined {
  return waitingFrom(store, queue, key, 0);
}

/** The first who waits from this sequence on, or undefined. */
export function waitingFrom(
  store: LmdbStore,
  queue: QueueState,
  key: Uint8Array,
  first: number,
): Member | undefined {
  const { groups } = store.tables;
  const end = afterPrefix(key);
  for (;;) {
    const entry = firstEntry(groups, memberKey(key, first), end);
    if (entry === undefined) return undefined;
    const sequence = get48(entry.key, key.length);
    const record = decodeRecord(entry.value, queue.number, sequence);
    if (record !== null) return { item: itemOf(queue, record, sequence, GROUP), record };
    const place = { space: GROUP, priority: 0, sequence, due: 0, groupId: null } as const;
    setAside(store, queue, place, memberKey(key, sequence));
  }
}

/**
 * Where a released message goes back to. Ends with the group open, if it can be.
 * @param from where it was leased; the lease has ended already
 * @param record as it is to be stored
 */
export function goBack(
  store: LmdbStore,
  queue: QueueState,
  from: Item,
  record: StoredRecord,
  now: number,
): void {
  const isDue = record.availableAt <= now;
  const space = isDue ? MAIN : SCHEDULED;
  const { groupId } = from;
  if (groupId === null) {
    replace(store, queue, from, record, space);
    return;
  }
  if (dueOf(record) === NEVER) {
    // Parked for good: its group need not wait for it.
    replace(store, queue, from, { ...record, blocksGroup: false }, SCHEDULED);
    leave(store, queue, groupId, from.isHead, now);
    return;
  }
  if (from.isHead && !queue.heldBesideHead.has(groupId)) {
    const next = firstWaiting(store, queue, textKey(queue.number, groupId));
    if (next === undefined || next.item.sequence > from.sequence) {
      replace(store, queue, from, { ...record, blocksGroup: !isDue }, space);
      return;
    }
  }
  replace(store, queue, from, { ...record, blocksGroup: false }, GROUP);
  leave(store, queue, groupId, from.isHead, now);
}
