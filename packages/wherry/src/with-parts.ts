import { type Parts, assemble } from './assemble.ts';
import type { Clock } from './core/clock.ts';
import type { Driver } from './core/driver.ts';
import { openStore } from './open-store.ts';

/**
 * Opens a store for `work`, and lets go of it whatever happens. Its queues are known; nothing acts
 * on its own: neither the sweeper nor schedules run.
 * @throws ValidationError, StorageInUseError, StorageError, and whatever `work` throws
 */
export async function withParts<Result>(
  storage: string | Driver,
  clock: Clock,
  work: (parts: Parts) => Promise<Result>,
): Promise<Result> {
  const driver = await openStore(storage, clock);
  const parts = assemble(driver, clock, {});
  const { topology, scheduler, publisher, sweeper, settler, wakeups } = parts;
  try {
    await topology.open();
    return await work(parts);
  } finally {
    await scheduler.close();
    await publisher.close();
    await sweeper.close();
    await settler.idle();
    wakeups.close();
    topology.close();
    await driver.close();
  }
}
