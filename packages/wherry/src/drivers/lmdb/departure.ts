import { leave } from './groups.ts';
import type { Item } from './item.ts';
import { GROUP } from './item.ts';
import type { Lease } from './leases.ts';
import type { QueueState } from './queue-state.ts';
import { remove } from './spaces.ts';
import type { LmdbStore } from './store.ts';

/** leased -> gone; its group goes on. */
export function removeLeased(store: LmdbStore, lease: Lease, now: number): void {
  store.leases.end(lease);
  if (lease.mark?.active === 0) store.markChanged(lease.mark);
  remove(store, lease.queue, lease);
  // The next suspect may be handed out now.
  if (lease.suspect) store.notifyReady(lease.queue);
  if (lease.groupId !== null) leave(store, lease.queue, lease.groupId, lease.isHead, now);
}

/** ready or scheduled -> gone; its group goes on. */
export function removeUnleased(store: LmdbStore, queue: QueueState, item: Item, now: number): void {
  remove(store, queue, item);
  if (item.isHead && item.space !== GROUP) leave(store, queue, item.groupId!, true, now);
}
