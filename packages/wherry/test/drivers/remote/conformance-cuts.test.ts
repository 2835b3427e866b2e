import { test } from 'node:test';
import type { Clock } from '../../../src/core/clock.ts';
import { createMemoryDriver } from '../../../src/drivers/memory/index.ts';
import { conformanceSuite, type SuiteStore } from '../../../src/testing/index.ts';
import { startProxy } from '../../servers/tcp-proxy.ts';
import { histories } from '../histories.ts';
import { BOUND_LEASES_GO_ON } from '../redis/gaps.ts';
import { connectTo, hostOnWebSocket } from './hosted.ts';

/** Every so many calls the connection is cut. */
const CALLS_PER_CUT = 13;

/** A network that is cut again and again: with the call on its way, or its answer. */
async function createStore(clock: Clock): Promise<SuiteStore> {
  const store = createMemoryDriver({ clock });
  await store.open();
  const hosted = await hostOnWebSocket(store);
  const proxy = await startProxy(hosted.port);
  let calls = 0;
  const onCall = (): void => {
    calls += 1;
    if (calls % CALLS_PER_CUT === 0) void cutAfter(calls % 5);
  };
  const cutAfter = async (turns: number): Promise<void> => {
    for (let i = 0; i < turns; i += 1) await new Promise((resolve) => setImmediate(resolve));
    proxy.cut();
  };
  const connect = () => connectTo(proxy.urlOf(hosted.url), onCall);
  let driver = connect();
  return {
    connect: () => (driver = connect()),
    crash: () => driver.close(),
    remove: async () => {
      await proxy.stop();
      await hosted.stop();
      await store.close();
    },
  };
}

conformanceSuite({
  name: 'remote, cut again and again',
  test,
  skip: (title, reason) => test(title, { skip: reason }),
  gaps: BOUND_LEASES_GO_ON,
  model: histories(2),
  createStore,
});
