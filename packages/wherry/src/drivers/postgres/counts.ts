import type { QueueCounts, QueueRef } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import type { DataContext } from './context.ts';

interface CountsRow {
  /** Null: there is no such queue. */
  readonly ready: number | null;
  readonly scheduled: number;
  readonly leased: number;
  readonly bytes: number;
  readonly oldest_timestamp: number | null;
  readonly arrived: number;
}

/** Exact over stored states, without counting (G10). */
export async function counts({ database }: DataContext, queue: QueueRef): Promise<QueueCounts> {
  const [row] = await database.call<CountsRow>('counts', [queue.number], { repeatable: true });
  const { ready, scheduled, leased, bytes, oldest_timestamp, arrived } = row!;
  if (ready === null) throw new QueueNotFoundError(queue.name);
  return { ready, scheduled, leased, bytes, oldestTimestamp: oldest_timestamp, arrived };
}
