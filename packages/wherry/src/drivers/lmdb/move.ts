import { appendDeath } from '../../core/deaths.ts';
import type { Evicted, MoveItem, MoveOutcome } from '../../core/driver.ts';
import { storeMoved } from './arrival.ts';
import { removeLeased } from './departure.ts';
import { makeRoom } from './room.ts';
import { readRecord } from './spaces.ts';
import type { LmdbStore } from './store.ts';

/** leased here -> ready in every target, or nothing changes (G7). */
export function move(store: LmdbStore, items: readonly MoveItem[]): MoveOutcome[] {
  const now = store.now();
  return items.map((item) =>
    mayBeFull(item)
      ? store.attempt(
          () => moveOne(store, item, now),
          (outcome) => outcome.status === 'full',
        )
      : moveOne(store, item, now),
  );
}

function mayBeFull({ targets }: MoveItem): boolean {
  return targets.some((ref) => ref.maxSize !== Infinity || ref.maxBytes !== Infinity);
}

function moveOne(store: LmdbStore, item: MoveItem, now: number): MoveOutcome {
  const { receipt, targets, death } = item;
  const queue = store.queues.get(receipt.queue.number);
  const lease = queue && store.leases.held(queue, receipt, now);
  if (lease === undefined) return { status: 'lost' };
  for (const target of targets) {
    if (store.find(target) === undefined) return { status: 'missing', queue: target.name };
  }
  const record = readRecord(store, lease.queue, lease);
  if (record === undefined || record === null) return { status: 'lost' };
  // It leaves first: its place is free for itself when it comes back to the same queue.
  removeLeased(store, lease, receipt.queue, now);
  const deaths = death === undefined ? record.deaths : appendDeath(record.deaths, death, now);
  const publishId = record.publishId ?? lease.id;
  const ids: string[] = [];
  const evicted: Evicted[] = [];
  for (const target of targets) {
    const to = store.queue(target);
    if (makeRoom(store, to, target, record.bytes, evicted, now) !== null) {
      return { status: 'full', queue: target.name };
    }
    const id = ids.length === 0 ? lease.id : null;
    ids.push(storeMoved(store, to, target, record, id, publishId, deaths, now));
  }
  return evicted.length === 0 ? { status: 'moved', ids } : { status: 'moved', ids, evicted };
}
