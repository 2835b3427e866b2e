/** What a waiting message costs the server, and that nothing is left of those that went. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Driver, NewMessage, QueueRef } from '../../../src/core/driver.ts';
import { ManualClock } from '../../../src/testing/index.ts';
import { type RedisServer, startRedis } from '../../servers/redis.ts';
import { createQueue, newMessage, openDriver, receipts, take } from './fixture.ts';

let redis: RedisServer;

before(async () => {
  redis = await startRedis({ config: { appendonly: 'no' } });
});

after(() => redis.stop());

async function usedMemory(): Promise<number> {
  const info = await redis.cli('INFO', 'memory');
  return Number(/^used_memory:(\d+)/m.exec(info)![1]);
}

/** What the message with this number has. */
type Fields = (index: number) => Partial<NewMessage>;

async function publishMany(
  driver: Driver,
  queue: QueueRef,
  count: number,
  fieldsOf: Fields = () => ({}),
): Promise<void> {
  for (let sent = 0; sent < count; sent += 1_000) {
    const items = Array.from({ length: 1_000 }, (_, i) => ({
      targets: [queue],
      message: newMessage('x'.repeat(100), fieldsOf(sent + i)),
    }));
    await driver.publish(items);
  }
}

test('a waiting message of 100 bytes takes at most 140 bytes of memory', async () => {
  const driver = await openDriver({ url: redis.url });
  const queue = await createQueue(driver, 'waiting');
  await publishMany(driver, queue, 1_000);
  const first = await usedMemory();
  await publishMany(driver, queue, 50_000);
  const each = ((await usedMemory()) - first) / 50_000;
  assert.ok(each <= 140, `${each} bytes`);
  await driver.close();
});

/** Bytes of memory at most, by what a message of 100 bytes has: the table in docs/redis.md. */
const BOUNDS: Readonly<Record<string, readonly [most: number, fields: Fields]>> = {
  'a priority': [140, () => ({ priority: 7 })],
  headers: [220, () => ({ properties: { headers: { tenant: 'acme', kind: 'order.created' } } })],
  'a TTL': [300, () => ({ ttl: 60_000 })],
  'a deduplicationId': [450, (i) => ({ deduplicationId: `order-${i}` })],
  'a delay': [450, () => ({ delay: 3_600_000 })],
  'a group': [520, (i) => ({ groupId: `g${i % 1_000}` })],
};

test('a waiting message takes more by what it has', async (t) => {
  const driver = await openDriver({ url: redis.url });
  t.after(() => driver.close());
  for (const [name, [most, fields]] of Object.entries(BOUNDS)) {
    const queue = await createQueue(driver, name, { deduplicationWindow: 3_600_000 });
    await publishMany(driver, queue, 1_000, fields);
    const first = await usedMemory();
    await publishMany(driver, queue, 20_000, (i) => fields(1_000 + i));
    const each = ((await usedMemory()) - first) / 20_000;
    assert.ok(each <= most, `${name}: ${each} bytes`);
  }
});

test('a message that is held takes at most 140 bytes more', async (t) => {
  const driver = await openDriver({ url: redis.url });
  t.after(() => driver.close());
  const queue = await createQueue(driver, 'held');
  await publishMany(driver, queue, 20_000);
  const first = await usedMemory();
  for (let taken = 0; taken < 20_000; taken += 1_000) await take(driver, queue, 1_000);
  const each = ((await usedMemory()) - first) / 20_000;
  assert.ok(each <= 140, `${each} bytes`);
});

/** Of each kind that is stored in a way of its own, a few. */
const KINDS: readonly Partial<NewMessage>[] = [
  {},
  { priority: 9 },
  { ttl: 50 },
  { delay: 10 },
  { groupId: 'g' },
  { groupId: 'g', delay: 10 },
  { groupId: 'h', ttl: 50 },
  { deduplicationId: 'd' },
  { deduplicationId: 'k', keepLast: true },
  { id: '0190a5b4c0007abc8def000000000001' },
];

test('when all messages are gone, nothing is left but the numbers of their queues', async () => {
  const clock = new ManualClock();
  const driver = await openDriver({ url: redis.url, clock, prefix: 'leftovers' });
  const limits = {
    deduplicationWindow: 100,
    rateLimit: { max: 1_000, per: 1_000 },
    groupRateLimit: { max: 1, per: 20 },
  };
  const source = await createQueue(driver, 'source', limits);
  const target = await createQueue(driver, 'target');
  for (let round = 0; round < 3; round += 1) {
    const items = KINDS.map((fields) => ({
      targets: fields.id === undefined ? [source, target] : [source],
      message: newMessage('m', fields),
    }));
    await driver.publish(items);
    for (const act of ['release', 'move', 'settle'] as const) {
      const held = receipts(source, await take(driver, source, 4));
      const back = held.map(
        (receipt) => ({ receipt, delay: 5, as: 'retry', suspect: true }) as const,
      );
      if (act === 'release') await driver.release(back);
      if (act === 'move') {
        await driver.move(held.map((receipt) => ({ receipt, targets: [target] })));
      }
      if (act === 'settle') await driver.settle(held);
      clock.advance(7);
    }
  }
  await take(driver, source, 3);
  clock.advance(60_000);
  for (const { queue, ...message } of (await driver.sweep(1_000)).messages) {
    const ref = queue === source.number ? source : target;
    await driver.settle(receipts(ref, [message]));
  }
  for (const queue of [source, target]) {
    await driver.purge(queue);
    await take(driver, queue);
  }
  clock.advance(60_000);
  assert.equal((await driver.sweep(1_000)).nextIn, null);
  const keys = (await redis.cli('KEYS', 'leftovers:{q*')).split('\n');
  const left = keys.filter((key) => !key.includes(':call:')).toSorted();
  assert.deepEqual(left, [`leftovers:{q${source.number}}:q`, `leftovers:{q${target.number}}:q`]);
  assert.equal(await redis.cli('EXISTS', 'leftovers:due'), '0');
  await driver.close();
});

test('of a deleted queue only a tombstone is left, for a while', async () => {
  const clock = new ManualClock();
  const driver = await openDriver({ url: redis.url, clock, prefix: 'deleted' });
  const queue = await createQueue(driver, 'queue', { deduplicationWindow: 1_000 });
  for (let round = 0; round < 2; round += 1) {
    await driver.publish(
      KINDS.map((fields) => ({ targets: [queue], message: newMessage('m', fields) })),
    );
    await take(driver, queue, 3);
  }
  await driver.deleteQueue(queue, { onlyIfEmpty: false });
  const keys = (await redis.cli('KEYS', 'deleted:{q*')).split('\n');
  const tombstone = `deleted:{q${queue.number}}:q`;
  assert.deepEqual(
    keys.filter((key) => !key.includes(':call:')),
    [tombstone],
  );
  assert.ok(Number(await redis.cli('TTL', tombstone)) > 24 * 60 * 60);
  await driver.close();
});
