import type { QueueRef } from '../../core/driver.ts';
import { leave } from './groups.ts';
import { GROUP } from './item.ts';
import { keepLast } from './keep-last.ts';
import type { Lease } from './leases.ts';
import type { QueueState } from './queue-state.ts';
import { type Located, remove } from './spaces.ts';
import type { LmdbStore } from './store.ts';

/** leased -> gone; its group goes on. @param ref its queue */
export function removeLeased(store: LmdbStore, lease: Lease, ref: QueueRef, now: number): void {
  if (holdsOthers(lease, ref)) store.notifyReady(lease.queue);
  store.leases.end(lease);
  if (lease.mark?.active === 0) store.markChanged(lease.mark);
  remove(store, lease.queue, lease);
  if (lease.groupId === null) return;
  leave(store, lease.queue, lease.groupId, lease, ref.groupMaxInFlight, now);
}

/** @returns whether others may be handed out when this lease ends */
export function holdsOthers(lease: Lease, ref: QueueRef): boolean {
  const { groupId, queue, suspect } = lease;
  if (suspect || ref.maxInFlight !== Infinity) return queue.counters.mainTotal > queue.leasedMain;
  return groupId !== null && queue.scan.hasBlocked(groupId);
}

/** ready or scheduled -> gone; its group goes on. @param ref its queue */
export function removeUnleased(
  store: LmdbStore,
  queue: QueueState,
  { item, record }: Located,
  ref: QueueRef,
  now: number,
): void {
  if (record.isReplaceable) keepLast(store, queue, record, item.sequence);
  remove(store, queue, item);
  if (item.isHead && item.space !== GROUP) {
    leave(store, queue, item.groupId!, item, ref.groupMaxInFlight, now);
  }
}
