import { after, before, test } from 'node:test';
import type { Clock } from '../../src/core/clock.ts';
import type { Driver } from '../../src/core/driver.ts';
import { createRedisDriver } from '../../src/drivers/redis/index.ts';
import { conformanceSuite, type SuiteStore } from '../../src/testing/index.ts';
import { type RedisCluster, startRedisCluster } from '../servers/redis-cluster.ts';
import { histories } from './histories.ts';
import { BOUND_LEASES_GO_ON } from './redis/gaps.ts';

let cluster: RedisCluster;
let stores = 0;

before(async () => {
  cluster = await startRedisCluster();
});

after(() => cluster.stop());

/** Each store has keys of its own on the one cluster of three masters and three replicas. */
async function createStore(clock: Clock): Promise<SuiteStore> {
  const prefix = `store-${(stores += 1)}`;
  const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  let driver: Driver;
  return {
    connect: () => (driver = createRedisDriver({ cluster: nodes, prefix, clock })),
    // All there is of a store is on the servers: a client that ends writes nothing more.
    crash: () => driver.close(),
    remove: async () => undefined,
  };
}

conformanceSuite({
  name: 'redis cluster',
  test,
  skip: (title, reason) => test(title, { skip: reason }),
  gaps: {
    ...BOUND_LEASES_GO_ON,
    atomicDrops:
      'what a batch stores in other slots is not stored before all of it is: it is not there to drop',
  },
  model: histories(10),
  createStore,
});
