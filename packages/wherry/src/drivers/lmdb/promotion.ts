import { NEVER } from '../../core/driver.ts';
import { enter } from './groups.ts';
import { itemOf, MAIN, SCHEDULED } from './item.ts';
import { get48, scheduledKeyMaker } from './keys.ts';
import type { QueueState } from './queue-state.ts';
import { readRecord, replace, setAside } from './spaces.ts';
import type { LmdbStore } from './store.ts';

const scheduledKey = scheduledKeyMaker();

/** Most messages that one commit promotes; the next goes on. */
const PROMOTED_MAX = 5_000;

/** scheduled -> ready, as far as due. */
export function promoteDue(store: LmdbStore, queue: QueueState, now: number): void {
  if (queue.scheduled === 0 || queue.nextDue > now) return;
  const due: { readonly sequence: number; readonly due: number }[] = [];
  const range = {
    start: Buffer.from(scheduledKey(queue.number, 0, 0)),
    end: Buffer.from(scheduledKey(queue.number, now + 1, 0)),
    snapshot: false,
  };
  for (const key of store.tables.scheduled.getKeys(range)) {
    const sequence = get48(key, 10);
    if (queue.leases.has(sequence)) continue;
    due.push({ sequence, due: get48(key, 4) });
    if (due.length === PROMOTED_MAX) break;
  }
  for (const one of due) promote(store, queue, one.sequence, one.due, now);
  queue.nextDue = due.length === PROMOTED_MAX ? now : nextDue(store, queue, now + 1);
}

function promote(
  store: LmdbStore,
  queue: QueueState,
  sequence: number,
  due: number,
  now: number,
): void {
  const place = { space: SCHEDULED, priority: 0, sequence, due, groupId: null } as const;
  const record = readRecord(store, queue, place);
  if (record === undefined) return;
  if (record === null) {
    setAside(store, queue, place);
    return;
  }
  const item = itemOf(queue, record, sequence, SCHEDULED, due);
  const { slots } = queue.counters;
  const space = item.isHead ? MAIN : enter(store, queue, record.groupId, sequence, slots, now);
  replace(store, queue, item, { ...record, blocksGroup: false }, space);
}

/** @returns when the first that is not leased is due; Infinity: none is */
export function nextDue(store: LmdbStore, queue: QueueState, from: number): number {
  const start = Buffer.from(scheduledKey(queue.number, from, 0));
  const end = Buffer.from(scheduledKey(queue.number + 1, 0, 0));
  for (const key of store.tables.scheduled.getKeys({ start, end, snapshot: false })) {
    const due = get48(key, 4);
    if (due >= NEVER) break;
    if (!queue.leases.has(get48(key, 10))) return due;
  }
  return Number.POSITIVE_INFINITY;
}
