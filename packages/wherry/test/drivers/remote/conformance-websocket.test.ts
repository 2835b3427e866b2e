import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Clock } from '../../../src/core/clock.ts';
import { createLmdbDriver } from '../../../src/drivers/lmdb/index.ts';
import { conformanceSuite, type SuiteStore } from '../../../src/testing/index.ts';
import { histories } from '../histories.ts';
import { BOUND_LEASES_GO_ON } from '../redis/gaps.ts';
import { connectTo, hostOnWebSocket } from './hosted.ts';

async function createStore(clock: Clock): Promise<SuiteStore> {
  const path = await mkdtemp(join(tmpdir(), 'wherry-remote-'));
  const store = createLmdbDriver({ path, clock });
  await store.open();
  const hosted = await hostOnWebSocket(store);
  let driver = connectTo(hosted.url);
  return {
    connect: () => (driver = connectTo(hosted.url)),
    // All there is of a store is at the host.
    crash: () => driver.close(),
    remove: async () => {
      await hosted.stop();
      await store.close();
      await rm(path, { recursive: true });
    },
  };
}

conformanceSuite({
  name: 'remote, WebSocket',
  test,
  skip: (title, reason) => test(title, { skip: reason }),
  gaps: BOUND_LEASES_GO_ON,
  model: histories(3),
  createStore,
});
