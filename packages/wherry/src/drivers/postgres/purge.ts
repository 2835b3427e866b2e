import type { QueueRef } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import type { DataContext } from './context.ts';

/** Messages removed in one transaction: takers wait for it. */
const STEP = 20_000;

/** ready and scheduled -> gone. @returns how many */
export async function purge({ database, notifier }: DataContext, queue: QueueRef): Promise<number> {
  let total = 0;
  for (;;) {
    const [row] = await database.call<{ purged: number | null; is_done: boolean }>('purge', [
      queue.number,
      STEP,
    ]);
    if (row!.purged === null) throw new QueueNotFoundError(queue.name);
    total += row!.purged;
    if (row!.is_done) break;
  }
  notifier.happened(queue.number, 'room');
  return total;
}
