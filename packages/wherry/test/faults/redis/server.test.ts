/** A Redis that is killed, restarted and held up, under processes at work. */
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RedisServer, startRedis } from '../../servers/redis.ts';
import { type Fault, runFaults } from '../shared/fault-run.ts';
import { assertUnharmed, chooseSeed } from '../shared/verdict.ts';

function faultsOf(redis: RedisServer): Fault[] {
  return [
    {
      name: 'server killed and restarted',
      strike: async () => {
        await redis.kill();
        await redis.restart();
      },
    },
    {
      name: 'server killed, away for 2 s',
      strike: async () => {
        await redis.kill();
        await sleep(2_000);
        await redis.restart();
      },
    },
    { name: 'server restarted', strike: () => redis.restart() },
    {
      name: 'server held up for 2 s',
      strike: async () => {
        redis.pause();
        await sleep(2_000);
        redis.continue();
      },
    },
    {
      name: 'scripts and connections thrown away',
      strike: async () => {
        await redis.cli('script', 'flush');
        await redis.cli('client', 'kill', 'type', 'normal');
        await redis.cli('client', 'kill', 'type', 'pubsub');
      },
    },
  ];
}

test('a Redis that fails and comes back loses and doubles nothing', async (t) => {
  // What a process wrote outlives it, whenever it is synced: only the machine may not fail.
  const redis = await startRedis();
  t.after(() => redis.stop());
  const seed = chooseSeed();
  const stores = [redis.url, redis.url];
  assertUnharmed(t, await runFaults({ seed, stores, faults: faultsOf(redis) }), seed);
});
