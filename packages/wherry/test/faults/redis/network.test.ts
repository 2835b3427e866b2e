/** A network that fails between a Redis and one of the processes. */
import { test } from 'node:test';
import { startRedis } from '../../servers/redis.ts';
import { startProxy } from '../../servers/tcp-proxy.ts';
import { runFaults } from '../shared/fault-run.ts';
import { networkFaults } from '../shared/network-faults.ts';
import { assertUnharmed, chooseSeed } from '../shared/verdict.ts';

const SILENCE_MS = 5_000;

test('a network that fails on the way to a Redis loses and doubles nothing', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const proxy = await startProxy(redis.port);
  t.after(() => proxy.stop());
  const seed = chooseSeed();
  const stores = [proxy.urlOf(redis.url), redis.url];
  assertUnharmed(
    t,
    await runFaults({ seed, stores, faults: networkFaults(proxy, SILENCE_MS) }),
    seed,
  );
});
