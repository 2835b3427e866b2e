import { StorageError } from '../../core/errors.ts';
import { Counters } from './counters.ts';
import { open } from './groups.ts';
import { get32, get48, textKey } from './keys.ts';
import { createLease } from './leases.ts';
import { decodeMark, type Mark, type MarkEntry } from './marks.ts';
import { QueueState } from './queue-state.ts';
import { readRecord } from './spaces.ts';
import type { LmdbStore } from './store.ts';
import { entriesOf } from './topology.ts';

/**
 * Brings back what memory knew: numbers of each queue, and what was handed out. The backlog is
 * not looked at, so this takes no longer with millions waiting.
 */
export async function restore(store: LmdbStore, path: string): Promise<void> {
  for (const { number } of entriesOf(store)) store.numbers.add(number);
  restoreQueues(store, path);
  for (const key of store.tables.graveyard.getKeys()) store.buried.add(get32(key, 0));
  restoreMarks(store);
  store.leases.commit();
  const isVacantLeft = vacantGroups(store).length > 0;
  if (isVacantLeft) await store.committer.write(() => openVacantGroups(store));
}

function restoreQueues(store: LmdbStore, path: string): void {
  for (const { key, value } of store.tables.counters.getRange()) {
    const number = get32(key, 0);
    const stored = Counters.decode(value);
    if (stored === undefined) {
      throw new StorageError(
        `The store '${path}' is damaged: the counters of queue number ${number} do not match ` +
          `their checksum. Run: wherry doctor --repair '${path}'.`,
        { code: 'STORAGE_DAMAGED' },
      );
    }
    const { name, counters } = stored;
    store.queues.set(number, new QueueState(number, name, store.facts.salt, counters));
    store.notBefore(counters.lastTime);
  }
}

/** Brings back what was handed out. Marks that cannot be read, or are of no queue, are passed over. */
export function restoreMarks(store: LmdbStore): void {
  for (const { key, value } of store.tables.marks.getRange()) {
    const stored = decodeMark(value);
    const queue = stored && store.queues.get(stored.queue);
    const number = get48(key, 0);
    if (stored === undefined || queue === undefined) continue;
    const { consumerId, bound } = stored;
    const mark: Mark = { number, queue, consumerId, bound, leases: [], active: 0, isStored: true };
    store.keepMark(mark);
    for (const entry of stored.entries) restoreLease(store, mark, entry);
  }
}

function restoreLease(store: LmdbStore, mark: Mark, entry: MarkEntry): void {
  const { queue } = mark;
  const { sequence, space, due } = entry;
  const record = queue.leases.has(sequence) ? null : readRecord(store, queue, entry);
  const isStale = !record || record.deliveryCount >= entry.deliveryCount;
  if (isStale) return;
  const hasEnded = mark.bound || entry.until === 0;
  const lease = createLease(queue, record, sequence, space, due, {
    mark,
    consumerId: mark.consumerId,
    token: entry.token,
    // A bound holder died with the instance before: its lease has ended.
    until: hasEnded ? 0 : entry.until,
    cause: hasEnded ? 'lease-expired' : null,
  });
  mark.leases.push(lease);
  store.leases.add(lease);
}

/** Groups that waited for a lease that nothing brings back. */
function vacantGroups(store: LmdbStore): Uint8Array[] {
  const held = new Set<string>();
  for (const queue of store.queues.values()) {
    for (const groupId of queue.heldBesideHead.keys()) {
      held.add(textKey(queue.number, groupId).toString('hex'));
    }
  }
  const keys = [...store.tables.vacant.getKeys()] as Uint8Array[];
  return keys.filter((key) => !held.has(Buffer.from(key).toString('hex')));
}

function openVacantGroups(store: LmdbStore): void {
  for (const key of vacantGroups(store)) {
    const queue = store.queues.get(get32(key, 0));
    if (queue !== undefined) open(store, queue, key, queue.counters.slots, store.now());
  }
}
