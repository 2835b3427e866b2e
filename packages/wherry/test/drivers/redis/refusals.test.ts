import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createRedisDriver } from '../../../src/drivers/redis/index.ts';
import { startRedis } from '../../servers/redis.ts';
import { poll } from '../../servers/server-process.ts';
import { createQueue, openDriver, receipts, send, take } from './fixture.ts';

test('a full server refuses sends, nothing is half done, and consuming goes on', async () => {
  const server = await startRedis({
    config: { maxmemory: '4mb', 'maxmemory-policy': 'noeviction' },
  });
  const driver = await openDriver({ url: server.url });
  const queue = await createQueue(driver, 'q', { deduplicationWindow: 1_000 });
  const body = 'x'.repeat(10_000);
  let stored = 0;
  const fill = async (): Promise<never> => {
    for (;;) {
      await send(driver, [queue], body, { deduplicationId: `d${stored}` });
      stored += 1;
    }
  };
  await assert.rejects(fill, { code: 'STORAGE_FULL', retriable: true });
  assert.ok(stored > 200);
  const { ready, bytes } = await driver.counts(queue);
  assert.deepEqual({ ready, bytes }, { ready: stored, bytes: stored * body.length });
  // A stream gives memory back in pieces of up to a hundred messages.
  const taken = await take(driver, queue, 200);
  assert.equal(taken.length, 200);
  const held = receipts(queue, taken);
  assert.deepEqual(await driver.extend([{ receipt: held[0]!, leaseDuration: 60_000 }]), []);
  await driver.release([{ receipt: held[0]!, delay: 0, as: 'retry' }]);
  assert.deepEqual(await driver.settle(held.slice(1)), []);
  assert.deepEqual(await driver.sweep(100).then(({ messages }) => messages), []);
  const again = await send(driver, [queue], body, { deduplicationId: `d${stored}` });
  assert.equal(again.status, 'stored', 'a refused send leaves no record');
  assert.equal(await driver.purge(queue), stored - 199 + 1);
  await driver.close();
  await server.stop();
});

test('a server that became a replica refuses, and goes on when it is a primary again', async () => {
  const server = await startRedis();
  const primary = await startRedis();
  const driver = await openDriver({ url: server.url, callTimeout: 300 });
  const queue = await createQueue(driver, 'q');
  await server.cli('REPLICAOF', '127.0.0.1', primary.port);
  await assert.rejects(send(driver, [queue], 'a'), { code: 'STORAGE_READONLY', retriable: true });
  await assert.rejects(createRedisDriver({ url: server.url }).open(), { code: 'STORAGE_READONLY' });
  await server.cli('REPLICAOF', 'NO', 'ONE');
  const waits = send(driver, [queue], 'a');
  assert.equal((await waits).status, 'stored');
  await driver.close();
  await Promise.all([server.stop(), primary.stop()]);
});

test('a server that cannot write to its disk refuses', async () => {
  const server = await startRedis({ config: { save: '"3600 100000"', appendonly: 'no' } });
  const driver = await openDriver({ url: server.url });
  const queue = await createQueue(driver, 'q');
  // The snapshot cannot take the place of a folder.
  mkdirSync(join(server.folder, 'dump.rdb', 'x'), { recursive: true });
  await server.cli('BGSAVE');
  const status = async (): Promise<string> => server.cli('INFO', 'persistence');
  await poll(async () => (await status()).includes('rdb_last_bgsave_status:err'), 'it failed');
  await assert.rejects(send(driver, [queue], 'a'), { code: 'STORAGE_FAILED', retriable: true });
  assert.deepEqual(await take(driver, queue).catch(({ code }) => code as string), 'STORAGE_FAILED');
  assert.equal((await driver.counts(queue)).ready, 0);
  await driver.close();
  await server.stop();
});

test('users: who may not come in, and what a user needs', async () => {
  const needed = '~app:* &app:* +@all -@admin -@dangerous +info +config|get';
  const server = await startRedis({
    users: [
      { name: 'root', password: 'root' },
      { name: 'app', password: 'p:w/d', rules: needed },
      { name: 'deaf', password: 'deaf', rules: '~app:* resetchannels +@all' },
      { name: 'other', password: 'other', rules: '~other:* &* +@all' },
    ],
  });
  const at = (user: string) => `redis://${user}@127.0.0.1:${server.port}?prefix=app`;
  const driver = await openDriver({ url: at(`app:${encodeURIComponent('p:w/d')}`), prefix: 'app' });
  const queue = await createQueue(driver, 'q');
  assert.equal((await send(driver, [queue], 'a')).status, 'stored');
  assert.deepEqual(await driver.settle(receipts(queue, await take(driver, queue))), []);
  await driver.close();
  for (const user of ['app:wrong', 'nobody:x', 'deaf:deaf', 'other:other']) {
    const refused = createRedisDriver({ url: at(user) }).open();
    await assert.rejects(refused, { code: 'STORAGE_AUTH', retriable: false }, user);
  }
  await assert.rejects(createRedisDriver({ url: `redis://127.0.0.1:${server.port}` }).open(), {
    code: 'STORAGE_AUTH',
  });
  await server.stop();
});

test('a policy that deletes messages is warned of, once', async () => {
  const server = await startRedis({
    config: { maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' },
  });
  const warning = once(process, 'warning') as Promise<[Error & { code: string }]>;
  const drivers = [await openDriver({ url: server.url }), await openDriver({ url: server.url })];
  const [{ code, message }] = await warning;
  assert.equal(code, 'WHERRY_REDIS_EVICTION');
  assert.match(message, /allkeys-lru.*noeviction/);
  for (const driver of drivers) await driver.close();
  await server.stop();
});

test('how durable it is, the server says', async () => {
  const cases = [
    [{ appendonly: 'no', save: '"60 1"' }, 'none'],
    [{ appendfsync: 'everysec' }, 'process'],
    [{ appendfsync: 'always' }, 'power'],
  ] as const;
  for (const [config, durability] of cases) {
    const server = await startRedis({ config });
    const driver = await openDriver({ url: server.url });
    assert.equal(driver.supports.durability, durability);
    await driver.close();
    await server.stop();
  }
});

test('waitReplicas: confirmed when the replicas have it, else refused', async (t) => {
  const server = await startRedis();
  t.after(() => server.stop());
  const config = { replicaof: `127.0.0.1 ${server.port}` };
  const replica = await startRedis({ config });
  t.after(() => replica.stop());
  const linked = async (): Promise<string> => replica.cli('INFO', 'replication');
  await poll(async () => (await linked()).includes('link_status:up'), 'the replica is there');
  const driver = await openDriver({ url: `${server.url}?waitReplicas=1`, callTimeout: 3_000 });
  t.after(() => driver.close());
  const queue = await createQueue(driver, 'q');
  for (let i = 0; i < 20; i += 1) {
    assert.equal((await send(driver, [queue], 'a')).status, 'stored');
    const has = await replica.cli(
      'HGET',
      `${await prefixOf(server)}:{q${queue.number}}:q`,
      'ready',
    );
    assert.equal(Number(has), i + 1);
  }
  replica.pause();
  await assert.rejects(send(driver, [queue], 'b'), { code: 'STORAGE_REPLICAS', retriable: true });
  replica.continue();
  assert.equal((await send(driver, [queue], 'c')).status, 'stored');
});

async function prefixOf(server: { cli(...args: string[]): Promise<string> }): Promise<string> {
  const [key] = (await server.cli('KEYS', '*:{topology}:facts')).split('\n');
  return key!.split(':')[0]!;
}
