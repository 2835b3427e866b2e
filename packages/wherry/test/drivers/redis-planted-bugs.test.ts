/** Checks that the conformance suite sees what the scripts of the Redis driver may get wrong. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { createRedisDriver } from '../../src/drivers/redis/index.ts';
import { script, type ScriptName } from '../../src/drivers/redis/scripts.ts';
import type { CreateStore } from '../../src/testing/index.ts';
import { type RedisServer, startRedis } from '../servers/redis.ts';
import { LUA_BUGS, type LuaBug } from './planted/lua-bugs.ts';
import { runSuite } from './planted/plant.ts';

const NAMES: readonly ScriptName[] = ['publish', 'take', 'settle', 'release', 'move', 'sweep'];

let redis: RedisServer;
let stores = 0;

before(async () => {
  redis = await startRedis();
});

after(() => redis.stop());

const createStore: CreateStore = async (clock) => {
  const prefix = `store-${(stores += 1)}`;
  return {
    connect: () => createRedisDriver({ url: redis.url, prefix, clock }),
    remove: async () => undefined,
  };
};

/** Plants it in every script that has the place. @returns how to take it out */
function plant({ correct, wrong }: LuaBug): () => void {
  const restorers = NAMES.filter((name) => script(name).text.includes(correct)).map((name) => {
    const one = script(name);
    const parts = one.text.split(correct);
    assert.equal(parts.length, 2, `'${correct}' is in ${name} more than once`);
    const text = parts.join(wrong);
    const original = { ...one };
    Object.assign(one, { text, digest: createHash('sha1').update(text).digest('hex') });
    return () => Object.assign(one, original);
  });
  assert.notEqual(restorers.length, 0, `no script says '${correct}'`);
  return () => restorers.forEach((restore) => restore());
}

describe('the suite sees that', () => {
  for (const [name, bug] of Object.entries(LUA_BUGS)) {
    test(name, async () => {
      const restore = plant(bug);
      const only = (title: string): boolean => title.startsWith(bug.breaks);
      const verdict = await runSuite({ createStore, only }).finally(restore);
      assert.notDeepEqual(verdict.failed, [], `no test '${bug.breaks} …' failed`);
      const correct = await runSuite({ createStore, only });
      assert.deepEqual(correct.failed, [], 'without the bug too');
    });
  }
});
