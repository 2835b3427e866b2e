import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examineRedis } from '../../../src/drivers/redis/doctor.ts';
import { createRedisDriver } from '../../../src/drivers/redis/index.ts';
import { startRedisCluster } from '../../servers/redis-cluster.ts';
import { startRedis } from '../../servers/redis.ts';
import { createQueue, newMessage, openDriver, receipts, send, take } from './fixture.ts';

test('a healthy store has no problems, whatever its messages are doing', async () => {
  const server = await startRedis({ config: { appendfsync: 'always' } });
  const driver = await openDriver({ url: server.url, prefix: 'app' });
  const one = await createQueue(driver, 'one');
  const two = await createQueue(driver, 'two', { partitions: 3 });
  const plain = Array.from({ length: 2_500 }, (_, i) => ({
    targets: [one],
    message: newMessage('x'.repeat(i % 50), { priority: i % 3 }),
  }));
  await driver.publish(plain);
  for (let i = 0; i < 9; i += 1)
    await send(driver, [two], 'abc', { delay: i * 1_000, groupId: `g${i % 2}` });
  const held = receipts(one, await take(driver, one, 100));
  await driver.settle(held.slice(0, 40));
  await driver.release(
    held.slice(40, 60).map((receipt) => ({ receipt, delay: 5_000, as: 'retry' })),
  );
  const report = await examineRedis({ url: server.url, prefix: 'app' });
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.warnings, []);
  assert.equal(report.durability, 'power');
  assert.equal(report.queues, 2);
  assert.equal(report.messages, 2_460 + 9);
  assert.deepEqual(
    report.places.map(({ name }) => name),
    ['one', 'two', 'two', 'two'],
  );
  assert.ok(report.places[0]!.memory > 100_000);
  const [examined] = report.servers;
  assert.ok(examined!.latency > 0 && Math.abs(examined!.clockDifference) < 1_000);
  await assert.rejects(examineRedis({ url: server.url, prefix: 'other' }), {
    code: 'STORAGE_OPEN',
  });
  await driver.close();
  await server.stop();
});

test('counters that are wrong are found, and mended', async () => {
  const server = await startRedis();
  const driver = await openDriver({ url: server.url, prefix: 'app' });
  const queue = await createQueue(driver, 'q');
  for (const priority of [0, 0, 7]) await send(driver, [queue], 'abc', { priority });
  await take(driver, queue, 1);
  const key = `app:{q${queue.number}}:q`;
  await server.cli('HINCRBY', key, 'ready', '5');
  await server.cli('HINCRBY', key, 'leased', '-1');
  await server.cli('HINCRBY', key, 'bytes', '100');
  const found = await examineRedis({ url: server.url, prefix: 'app' });
  assert.deepEqual(
    found.problems.map(({ code }) => code),
    ['counters'],
  );
  assert.match(
    found.problems[0]!.message,
    /ready is 7, but there are 2; leased is 0.*1; bytes is 109.*9/,
  );
  assert.equal(found.repaired, 0);
  const mended = await examineRedis({ url: server.url, prefix: 'app', repair: true });
  assert.equal(mended.repaired, 1);
  assert.deepEqual((await examineRedis({ url: server.url, prefix: 'app' })).problems, []);
  const { ready, leased, bytes } = await driver.counts(queue);
  assert.deepEqual({ ready, leased, bytes }, { ready: 2, leased: 1, bytes: 9 });
  await driver.close();
  await server.stop();
});

test('messages of queues that the store does not know are found', async (t) => {
  const server = await startRedis();
  t.after(() => server.stop());
  const url = `${server.url}?prefix=a[b]*`;
  const driver = createRedisDriver({ url });
  await driver.open();
  t.after(() => driver.close());
  const before = await createQueue(driver, 'before');
  const gone = await createQueue(driver, 'gone');
  await send(driver, [gone], 'abc');
  await driver.deleteQueue(gone, { onlyIfEmpty: false });
  assert.deepEqual((await examineRedis({ url })).problems, []);
  await server.cli('FLUSHALL');
  await send(driver, [before], 'astray');
  const fresh = createRedisDriver({ url });
  await fresh.open();
  t.after(() => fresh.close());
  const { problems, repaired } = await examineRedis({ url, repair: true });
  assert.deepEqual([problems.map(({ code }) => code), repaired], [['stray'], 0]);
  assert.match(
    problems[0]!.message,
    /^1 of 'before' .* the queue number 1, .* a\[b\]\*:\{q1\}:\*\.$/,
  );
});

test('settings that may lose messages are warned of', async () => {
  const server = await startRedis({
    config: { appendonly: 'no', maxmemory: '20mb', 'maxmemory-policy': 'allkeys-lru' },
  });
  await openDriver({ url: server.url, prefix: 'app' }).then((driver) => driver.close());
  const report = await examineRedis({ url: `${server.url}?prefix=app&waitReplicas=2` });
  assert.deepEqual(
    report.warnings.map(({ code }) => code),
    ['eviction', 'persistence', 'replicas'],
  );
  assert.equal(report.durability, 'none');
  await server.stop();
});

test('a queue that is in use is examined all the same, and a cluster', async () => {
  const cluster = await startRedisCluster({ replicasPerMaster: 0 });
  const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  const driver = await openDriver({ cluster: nodes, prefix: 'app' });
  const queue = await createQueue(driver, 'q', { partitions: 3 });
  const over = new AbortController();
  const working = (async () => {
    for (let i = 0; !over.signal.aborted; i += 1) {
      await send(driver, [queue], String(i));
      await driver.settle(receipts(queue, await take(driver, queue, 1)));
    }
  })();
  const report = await examineRedis({ cluster: nodes, prefix: 'app' });
  over.abort();
  await working;
  assert.deepEqual(report.problems, []);
  assert.equal(report.servers.length, 3);
  assert.deepEqual(
    report.warnings.map(({ code }) => code),
    ['appendfsync', 'appendfsync', 'appendfsync'],
  );
  await driver.close();
  await cluster.stop();
});

test('a queue whose numbers were lost refuses sends, until it is mended', async (t) => {
  const server = await startRedis();
  t.after(() => server.stop());
  const driver = await openDriver({ url: server.url, prefix: 'app' });
  t.after(() => driver.close());
  const queue = await createQueue(driver, 'q');
  for (const body of ['a', 'b', 'c']) await send(driver, [queue], body);
  const [held] = receipts(queue, await take(driver, queue, 1));
  await send(driver, [queue], 'later', { delay: 3_600_000 });
  await server.cli('DEL', `app:{q${queue.number}}:q`);
  await assert.rejects(send(driver, [queue], 'd'), {
    code: 'STORAGE_DAMAGED',
    retriable: false,
    message: /evicted or deleted.*wherry doctor --repair.*noeviction/,
  });
  const { repaired } = await examineRedis({ url: server.url, prefix: 'app', repair: true });
  assert.equal(repaired, 1);
  const { problems } = await examineRedis({ url: server.url, prefix: 'app' });
  assert.deepEqual(problems, []);
  assert.equal((await send(driver, [queue], 'd')).status, 'stored');
  const { ready, scheduled, leased } = await driver.counts(queue);
  assert.deepEqual({ ready, scheduled, leased }, { ready: 3, scheduled: 1, leased: 1 });
  assert.deepEqual(await driver.settle([held!]), []);
  const taken = await take(driver, queue, 10);
  assert.deepEqual(
    taken.map(({ body }) => String(body)),
    ['b', 'c', 'd'],
  );
});
