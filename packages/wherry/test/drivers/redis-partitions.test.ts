import { after, before, test } from 'node:test';
import type { Clock } from '../../src/core/clock.ts';
import type { Driver } from '../../src/core/driver.ts';
import { createRedisDriver } from '../../src/drivers/redis/index.ts';
import { conformanceSuite, type SuiteStore } from '../../src/testing/index.ts';
import { type RedisServer, startRedis } from '../servers/redis.ts';
import { histories } from './histories.ts';
import { SPREAD_GAPS } from './redis/spread-gaps.ts';
import { spread } from './redis/spread-driver.ts';

let redis: RedisServer;
let stores = 0;

before(async () => {
  redis = await startRedis();
});

after(() => redis.stop());

/** Each queue is spread over two places. */
async function createStore(clock: Clock): Promise<SuiteStore> {
  const prefix = `store-${(stores += 1)}`;
  let driver: Driver;
  return {
    connect: () => {
      driver = createRedisDriver({ url: redis.url, prefix, clock });
      return spread(driver, 2);
    },
    crash: () => driver.close(),
    remove: async () => undefined,
  };
}

conformanceSuite({
  name: 'redis with partitions',
  test,
  skip: (title, reason) => test(title, { skip: reason }),
  gaps: SPREAD_GAPS,
  model: histories(20),
  createStore,
});
