/**
 * Groups: of each, only the heads are where `take` looks; the others wait in `groups`. A message is
 * a head from the moment it may be handed out until it ends or goes back to the others; while it
 * backs off it is in `scheduled` and keeps its slot. Beside the heads, members may be held that were
 * leased where they waited: by id, by the sweeper, or in one batch with their group's head. `slots`
 * is how many there may be of both: the `groupMaxInFlight` of whoever calls.
 */
import { NEVER } from '../../core/driver.ts';
import { encodeHeads, headCount, headsOf } from './heads.ts';
import { GROUP, type Item, itemOf, MAIN, SCHEDULED, type Space } from './item.ts';
import { get48, memberKey, textKey } from './keys.ts';
import type { QueueState } from './queue-state.ts';
import { decodeRecord, type StoredRecord } from './record.ts';
import { dueOf, type Located, replace, setAside } from './spaces.ts';
import type { LmdbStore } from './store.ts';
import { afterPrefix, firstEntry, read } from './tables.ts';

const PRESENT = Uint8Array.of(1);

/** Members of a group that wait, and come out as far as there are slots. */
interface Opening {
  readonly key: Uint8Array;
  /** The sequences of the heads. */
  readonly heads: number[];
  /** Members that are held and are no heads. */
  readonly beside: number;
  readonly slots: number;
  /** The sequence of one that waits and is not stored yet; Infinity: none. */
  readonly newcomer: number;
  readonly now: number;
}

/**
 * Where a message goes that may be handed out: it becomes a head, or waits. Others that wait come
 * out as far as there are slots.
 */
export function enter(
  store: LmdbStore,
  queue: QueueState,
  groupId: string | null,
  sequence: number,
  slots: number,
  now: number,
): Space {
  if (groupId === null) return MAIN;
  const key = textKey(queue.number, groupId);
  const heads = headsOf(read(store.tables.heads, key));
  const beside = queue.heldBesideHead.get(groupId) ?? 0;
  const count = heads.length;
  fill(store, queue, { key, heads, beside, slots, newcomer: sequence, now });
  if (heads.length > count) store.tables.heads.putSync(key, encodeHeads(heads));
  return heads.includes(sequence) ? MAIN : GROUP;
}

/**
 * The group goes on after a member left that was a head or held.
 * @param from where it was; its lease has ended already
 */
export function leave(
  store: LmdbStore,
  queue: QueueState,
  groupId: string,
  from: Item,
  slots: number,
  now: number,
): void {
  const key = textKey(queue.number, groupId);
  const heads = headsOf(read(store.tables.heads, key));
  if (from.isHead) heads.splice(heads.indexOf(from.sequence), 1);
  const beside = queue.heldBesideHead.get(groupId) ?? 0;
  openFrom(store, queue, { key, heads, beside, slots, newcomer: Infinity, now });
}

/** Makes the first of those who wait heads. Nobody is held who is no head. */
export function open(
  store: LmdbStore,
  queue: QueueState,
  key: Uint8Array,
  slots: number,
  now: number,
): void {
  const heads = headsOf(read(store.tables.heads, key));
  openFrom(store, queue, { key, heads, beside: 0, slots, newcomer: Infinity, now });
}

function openFrom(store: LmdbStore, queue: QueueState, opening: Opening): void {
  const { key, heads, beside } = opening;
  fill(store, queue, opening);
  if (heads.length === 0) store.tables.heads.removeSync(key);
  else store.tables.heads.putSync(key, encodeHeads(heads));
  if (beside === 0) store.tables.vacant.removeSync(key);
}

/** Adds heads, the first of those who wait first, as far as there are slots. */
function fill(store: LmdbStore, queue: QueueState, opening: Opening): void {
  const { key, heads, beside, slots, newcomer, now } = opening;
  // While nobody is outside, nobody waits but the newcomer.
  const isFree = heads.length + beside === 0 && newcomer !== Infinity;
  const hasRoom = (): boolean => heads.length + beside < slots;
  let next = isFree || !hasRoom() ? undefined : firstWaiting(store, queue, key);
  let isNewcomerIn = newcomer !== Infinity;
  while (hasRoom() && (isNewcomerIn || next !== undefined)) {
    if (next === undefined || (isNewcomerIn && newcomer < next.item.sequence)) {
      heads.push(newcomer);
      isNewcomerIn = false;
    } else {
      heads.push(next.item.sequence);
      comeOut(store, queue, next, now);
      next = hasRoom() ? firstWaiting(store, queue, key) : undefined;
    }
  }
  // Should nobody hold those beside after a crash, somebody must know that they wait for a head.
  if (beside > 0 && heads.length < slots) store.tables.vacant.putSync(key, PRESENT);
}

function comeOut(
  store: LmdbStore,
  queue: QueueState,
  { item, record }: Located,
  now: number,
): void {
  const isDue = record.availableAt <= now;
  replace(store, queue, item, { ...record, blocksGroup: !isDue }, isDue ? MAIN : SCHEDULED);
}

/** The first who waits and is not held where it waits, or undefined. */
function firstWaiting(store: LmdbStore, queue: QueueState, key: Uint8Array): Located | undefined {
  return waitingFrom(store, queue, key, 0);
}

/**
 * The first who waits from this sequence on, and is not held there, or undefined. Records that
 * cannot be read are set aside.
 */
export function waitingFrom(
  store: LmdbStore,
  queue: QueueState,
  key: Uint8Array,
  first: number,
): Located | undefined {
  const { groups } = store.tables;
  const end = afterPrefix(key);
  let from = first;
  for (;;) {
    const entry = firstEntry(groups, memberKey(key, from), end);
    if (entry === undefined) return undefined;
    const sequence = get48(entry.key, key.length);
    from = sequence + 1;
    if (queue.leases.has(sequence)) continue;
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
  slots: number,
  now: number,
): void {
  const { groupId } = from;
  const isDue = record.availableAt <= now;
  const space = isDue ? MAIN : SCHEDULED;
  if (groupId === null) {
    replace(store, queue, from, record, space);
    return;
  }
  // Parked for good: its group need not wait for it.
  const isParked = dueOf(record) === NEVER;
  if (!isParked && from.isHead && staysHead(store, queue, groupId, from.sequence, slots)) {
    replace(store, queue, from, { ...record, blocksGroup: !isDue }, space);
    return;
  }
  replace(store, queue, from, { ...record, blocksGroup: false }, isParked ? SCHEDULED : GROUP);
  leave(store, queue, groupId, from, slots, now);
}

/** @returns whether a head that goes back comes out again, and nobody with it: the usual case */
function staysHead(
  store: LmdbStore,
  queue: QueueState,
  groupId: string,
  sequence: number,
  slots: number,
): boolean {
  const key = textKey(queue.number, groupId);
  const beside = queue.heldBesideHead.get(groupId) ?? 0;
  const spare = slots - beside - headCount(read(store.tables.heads, key));
  const next = spare < 0 ? undefined : firstWaiting(store, queue, key);
  if (next === undefined) return spare >= 0;
  return spare === 0 && next.item.sequence > sequence;
}
