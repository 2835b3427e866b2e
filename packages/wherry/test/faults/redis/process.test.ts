/** Processes that are paused past their leases, or killed, while others work on the same Redis. */
import { after, before, suite, test } from 'node:test';
import { type RedisServer, startRedis } from '../../servers/redis.ts';
import { runFaults } from '../shared/fault-run.ts';
import { assertFenced } from '../shared/fenced.ts';
import { PROCESS_FAULTS } from '../shared/process-faults.ts';
import { assertUnharmed, chooseSeed } from '../shared/verdict.ts';

let redis: RedisServer;

before(async () => {
  redis = await startRedis();
});

after(() => redis.stop());

// They wait more than they work.
suite('G4 a holder paused past its lease cannot acknowledge', { concurrency: true }, () => {
  for (const holder of ['idle', 'busy'] as const) {
    test(holder, (t) => assertFenced(t, `${redis.url}?prefix=${holder}`, holder));
  }
});

test('processes that are paused or killed lose and double nothing', async (t) => {
  const seed = chooseSeed();
  const store = `${redis.url}?prefix=run`;
  const stores = [store, store];
  assertUnharmed(t, await runFaults({ seed, stores, faults: PROCESS_FAULTS }), seed);
});
