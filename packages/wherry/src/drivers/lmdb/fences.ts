/** Fences: of each key, only a greater value than the last is let in. */
import type { NewMessage } from '../../core/driver.ts';
import { textKey } from './keys.ts';
import type { QueueState } from './queue-state.ts';
import type { LmdbStore } from './store.ts';
import { read } from './tables.ts';

type Fence = NonNullable<NewMessage['fence']>;

/** @returns whether as great a value has passed before */
export function isBehindFence(store: LmdbStore, queue: QueueState, fence: Fence): boolean {
  const last = read(store.tables.fences, textKey(queue.number, fence.key));
  if (last === undefined) return false;
  return fence.value <= new DataView(last.buffer, last.byteOffset).getFloat64(0);
}

export function moveFence(store: LmdbStore, queue: QueueState, fence: Fence): void {
  const value = Buffer.allocUnsafe(8);
  value.writeDoubleBE(fence.value);
  store.tables.fences.putSync(textKey(queue.number, fence.key), value);
}
