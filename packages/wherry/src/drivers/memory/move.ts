import { appendDeath } from '../../core/deaths.ts';
import type { Evicted, MoveItem, MoveOutcome } from '../../core/driver.ts';
import type { MessageRecord } from './record.ts';
import { makeRoom, transferred } from './room.ts';
import type { MemoryStore } from './store.ts';

/** leased here -> ready in every target, or nothing changes (G7). */
export function move(store: MemoryStore, item: MoveItem): MoveOutcome {
  const now = store.clock.now();
  const record = store.held(item.receipt, now);
  if (record === undefined) return { status: 'lost' };
  const missing = item.targets.find((target) => store.find(target) === undefined);
  if (missing !== undefined) return { status: 'missing', queue: missing.name };
  return store.journal.attempt(
    () => transfer(store, record, item, now),
    ({ status }) => status === 'full',
  );
}

function transfer(
  store: MemoryStore,
  record: MessageRecord,
  { receipt, targets, death }: MoveItem,
  now: number,
): MoveOutcome {
  const deaths = death === undefined ? record.deaths : appendDeath(record.deaths, death, now);
  // First, so that its place is free when it comes back to the same queue.
  store.remove(record, receipt.queue, now);
  const ids: string[] = [];
  const evicted: Evicted[] = [];
  for (const target of targets) {
    if (makeRoom(store, target, record.bytes, evicted, now) !== null) {
      return { status: 'full', queue: target.name };
    }
    const id = ids.length === 0 ? record.id : null;
    const copy = transferred(store, record, target, id, deaths, now);
    store.insert(copy, target, now);
    ids.push(copy.id);
  }
  return evicted.length === 0 ? { status: 'moved', ids } : { status: 'moved', ids, evicted };
}
