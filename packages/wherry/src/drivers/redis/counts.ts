import type { QueueCounts, QueueRef } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import type { RedisStore } from './store.ts';

/** Kept with each change, not counted. */
export async function counts(store: RedisStore, queue: QueueRef): Promise<QueueCounts> {
  const reply = await store.run('counts', [queue.number], []);
  if (reply instanceof Buffer) throw new QueueNotFoundError(queue.name);
  const [ready, scheduled, leased, bytes, oldest, arrived] = reply as readonly number[];
  return {
    ready: ready!,
    scheduled: scheduled!,
    leased: leased!,
    bytes: bytes!,
    oldestTimestamp: oldest === -1 ? null : oldest!,
    arrived: arrived!,
  };
}
