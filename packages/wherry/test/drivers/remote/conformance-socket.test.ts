import { test } from 'node:test';
import type { Clock } from '../../../src/core/clock.ts';
import { createMemoryDriver } from '../../../src/drivers/memory/index.ts';
import { conformanceSuite, type SuiteStore } from '../../../src/testing/index.ts';
import { histories } from '../histories.ts';
import { BOUND_LEASES_GO_ON } from '../redis/gaps.ts';
import { connectTo, hostOnSocket } from './hosted.ts';

async function createStore(clock: Clock): Promise<SuiteStore> {
  const store = createMemoryDriver({ clock });
  await store.open();
  const hosted = await hostOnSocket(store);
  let driver = connectTo(hosted.url);
  return {
    connect: () => (driver = connectTo(hosted.url)),
    // All there is of a store is at the host.
    crash: () => driver.close(),
    remove: async () => {
      await hosted.stop();
      await store.close();
    },
  };
}

conformanceSuite({
  name: 'remote, socket',
  test,
  skip: (title, reason) => test(title, { skip: reason }),
  gaps: BOUND_LEASES_GO_ON,
  model: histories(10),
  createStore,
});
