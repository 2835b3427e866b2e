import type { ExtendItem, LostIndexes, Receipt, ReleaseItem } from '../../core/driver.ts';
import { holdsOthers, removeLeased } from './departure.ts';
import { goBack } from './groups.ts';
import type { Lease } from './leases.ts';
import type { StoredRecord } from './record.ts';
import { readRecord, setAside } from './spaces.ts';
import type { LmdbStore } from './store.ts';

/** leased -> gone. */
export function settle(store: LmdbStore, receipts: readonly Receipt[]): LostIndexes {
  return forHeld(store, receipts, (lease, index, now) => {
    removeLeased(store, lease, receipts[index]!.queue, now);
  });
}

/** leased -> ready or scheduled. */
export function release(store: LmdbStore, items: readonly ReleaseItem[]): LostIndexes {
  const receipts = items.map((item) => item.receipt);
  return forHeld(store, receipts, (lease, index, now) => {
    releaseOne(store, lease, items[index]!, now);
  });
}

/** Leases end later, counted from now. */
export function extend(store: LmdbStore, items: readonly ExtendItem[]): LostIndexes {
  const receipts = items.map((item) => item.receipt);
  return forHeld(store, receipts, (lease, index, now) => {
    store.leases.change(lease, { until: now + items[index]!.leaseDuration });
    // A bound lease ends with this instance anyway, so its end need not be stored.
    if (lease.mark !== null && !lease.mark.bound && lease.cause === null) {
      store.markChanged(lease.mark);
    }
  });
}

/** @returns the indexes of receipts that do not prove the present lease (G4) */
function forHeld(
  store: LmdbStore,
  receipts: readonly Receipt[],
  act: (lease: Lease, index: number, now: number) => void,
): LostIndexes {
  const now = store.now();
  const lost: number[] = [];
  for (let index = 0; index < receipts.length; index++) {
    const receipt = receipts[index]!;
    const queue = store.queues.get(receipt.queue.number);
    const lease = queue && store.leases.held(queue, receipt, now);
    if (lease === undefined) lost.push(index);
    else act(lease, index, now);
  }
  return lost;
}

function releaseOne(store: LmdbStore, lease: Lease, item: ReleaseItem, now: number): void {
  const { queue } = lease;
  const ref = item.receipt.queue;
  if (holdsOthers(lease, ref)) store.notifyReady(queue);
  store.leases.end(lease);
  // A mark that is not rewritten would say after a crash that this delivery had begun.
  if (item.as === 'unstarted' || lease.mark?.active === 0) store.markChanged(lease.mark);
  const record = readRecord(store, queue, lease);
  if (record === undefined) return;
  if (record === null) setAside(store, queue, lease);
  else goBack(store, queue, lease, released(record, item, now), ref.groupMaxInFlight, now);
}

/** What a delivery that ended without being settled leaves behind. */
function released(record: StoredRecord, item: ReleaseItem, now: number): StoredRecord {
  const counts = item.as !== 'unstarted';
  return {
    ...record,
    availableAt: now + item.delay,
    deliveryCount: record.deliveryCount + (counts ? 1 : 0),
    retryCount: record.retryCount + (item.as === 'retry' ? 1 : 0),
    // Only a delivery that ended well for its holder clears the suspicion.
    suspect: item.suspect ?? (!counts && record.suspect),
    isReplaceable: false,
    parked: item.parked === undefined ? record.parked : item.parked,
  };
}
