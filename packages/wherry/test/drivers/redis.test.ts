import { after, before, test } from 'node:test';
import type { Clock } from '../../src/core/clock.ts';
import type { Driver } from '../../src/core/driver.ts';
import { createRedisDriver } from '../../src/drivers/redis/index.ts';
import { conformanceSuite, type SuiteStore } from '../../src/testing/index.ts';
import { type RedisServer, startRedis } from '../servers/redis.ts';
import { histories } from './histories.ts';
import { BOUND_LEASES_GO_ON } from './redis/gaps.ts';

let redis: RedisServer;
let stores = 0;

before(async () => {
  redis = await startRedis();
});

after(() => redis.stop());

/** Each store has keys of its own on the one server. */
async function createStore(clock: Clock): Promise<SuiteStore> {
  const prefix = `store-${(stores += 1)}`;
  let driver: Driver;
  return {
    connect: () => (driver = createRedisDriver({ url: redis.url, prefix, clock })),
    // All there is of a store is on the server: a client that ends writes nothing more.
    crash: () => driver.close(),
    remove: async () => undefined,
  };
}

conformanceSuite({
  name: 'redis',
  test,
  skip: (title, reason) => test(title, { skip: reason }),
  gaps: BOUND_LEASES_GO_ON,
  model: histories(20),
  createStore,
});
