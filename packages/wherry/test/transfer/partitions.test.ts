/** A queue in partitions is filled like any other: a kill at any call loses and doubles nothing. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRedisDriver } from '../../src/drivers/redis/index.ts';
import { type RedisCluster, startRedisCluster } from '../servers/redis-cluster.ts';
import { KilledError, Life } from './mortal.ts';
import { consumeAtTarget, makeWorld, runOn } from './orders.ts';
import { PatientClock, TestStore } from './world.ts';

let cluster: RedisCluster;
before(async () => {
  cluster = await startRedisCluster({ replicasPerMaster: 0 });
});
after(() => cluster.stop());

for (const when of ['before', 'after'] as const) {
  test(`from memory to a queue in partitions: killed ${when} any call reaches its store`, async (t) => {
    const clock = new PatientClock();
    const url = cluster.url.replace('redis:', 'redis-cluster:');
    const driver = createRedisDriver({ url, prefix: when, clock });
    await driver.open();
    t.after(() => driver.close());
    const target = new TestStore(driver);
    let isWhole = false;
    let kills = 0;
    for (let call = 1; !isWhole; call++) {
      const source = await TestStore.inMemory(clock);
      const name = `orders-${call}`;
      const queue = await target.queue(name, { deadLetterQueue: 'dead-letter', partitions: 4 });
      const world = await makeWorld({ clock, source, target, name });
      const done: string[] = [];
      try {
        await runOn(world, new Life({ call, when }));
        isWhole = true;
      } catch (error) {
        assert.ok(error instanceof KilledError, String((error as Error).stack));
        kills++;
        done.push(...(await consumeAtTarget(world)));
      }
      await runOn(world, new Life());
      assert.deepEqual(await source.all(await source.queue(name)), [], `call ${call}`);
      const stored = await target.all(queue);
      const bodies = [...done, ...stored.map(({ body }) => body as string)];
      assert.deepEqual(bodies.toSorted(), world.sent.toSorted(), `call ${call}`);
    }
    assert.ok(kills >= 10, `only ${kills} kills`);
  });
}
