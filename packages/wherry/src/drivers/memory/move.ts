import { appendDeath } from '../../core/deaths.ts';
import type { MoveItem, MoveOutcome } from '../../core/driver.ts';
import type { MessageRecord } from './record.ts';
import { RoomPlan, transferred } from './room.ts';
import type { MemoryStore } from './store.ts';

/** leased here -> ready in every target, or nothing changes (G7). */
export function move(store: MemoryStore, item: MoveItem): MoveOutcome {
  const now = store.clock.now();
  const record = store.held(item.receipt, now);
  if (record === undefined) return { status: 'lost' };
  const missing = item.targets.find((target) => store.find(target) === undefined);
  if (missing !== undefined) return { status: 'missing', queue: missing.name };

  // Its place here is free for itself when it comes back to the same queue.
  record.queue.withhold(record);
  const room = new RoomPlan(store, now);
  for (const target of item.targets) {
    if (room.reserve(target, record.bytes, []) === null) continue;
    room.abort();
    record.queue.restore(record);
    return { status: 'full', queue: target.name };
  }
  room.commit();
  leave(store, record, now);
  return { status: 'moved', ids: arrive(store, record, item, now) };
}

function leave(store: MemoryStore, record: MessageRecord, now: number): void {
  store.messages.delete(record.id);
  record.queue.complete(record, now);
  store.notifyLeft(record);
}

function arrive(
  store: MemoryStore,
  record: MessageRecord,
  { targets, death }: MoveItem,
  now: number,
): string[] {
  const deaths = death === undefined ? record.deaths : appendDeath(record.deaths, death, now);
  return targets.map((target, index) => {
    const id = index === 0 ? record.id : null;
    const copy = transferred(store, record, target, id, deaths, now);
    store.insert(copy, now);
    return copy.id;
  });
}
