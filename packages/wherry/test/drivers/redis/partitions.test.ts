import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster } from 'ioredis';
import type { Driver, LeasedMessage, QueueRef } from '../../../src/core/driver.ts';
import { type RedisCluster, startRedisCluster } from '../../servers/redis-cluster.ts';
import { poll } from '../../servers/server-process.ts';
import { createQueue, newMessage, newPrefix, openDriver, receipts, send, take } from './fixture.ts';

const PLACES = 6;

let cluster: RedisCluster;
let nodes: { host: string; port: number }[];
let client: Cluster;
let driver: Driver;
const prefix: string = newPrefix();

before(async () => {
  cluster = await startRedisCluster({ replicasPerMaster: 0 });
  nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  client = new Cluster(nodes);
  driver = await openDriver({ cluster: nodes, prefix });
});
after(async () => {
  await driver.close();
  client.disconnect();
  await cluster.stop();
});

const spreadQueue = (name: string, limits: Partial<QueueRef> = {}): Promise<QueueRef> =>
  createQueue(driver, name, { partitions: PLACES, ...limits });

/** The numbers of a queue's places, once it has some. */
async function placesOf(queue: QueueRef): Promise<number[]> {
  const places = await client.hget(`${prefix}:{topology}:partitions`, String(queue.number));
  return places!.split(' ').map(Number);
}

async function sizesOf(queue: QueueRef): Promise<number[]> {
  const sizes = (await placesOf(queue)).map((place) =>
    client.hget(`${prefix}:{q${place}}:q`, 'ready'),
  );
  return (await Promise.all(sizes)).map(Number);
}

async function takeAll(
  queue: QueueRef,
  max: number,
  driverOf: Driver = driver,
): Promise<LeasedMessage[]> {
  const all: LeasedMessage[] = [];
  for (;;) {
    const messages = await take(driverOf, queue, max);
    if (messages.length === 0) return all;
    assert.ok(messages.length <= max);
    all.push(...messages);
  }
}

test('the places are spread evenly over the masters', async () => {
  const queue = await spreadQueue('even');
  await send(driver, [queue], 'a');
  const perMaster = new Map<string, number>();
  for (const place of await placesOf(queue)) {
    const slot = await client.cluster('KEYSLOT', `{q${place}}`);
    const owner = await cluster.ownerOf(slot);
    perMaster.set(owner.url, (perMaster.get(owner.url) ?? 0) + 1);
  }
  assert.deepEqual([...perMaster.values()], [2, 2, 2]);
});

test('each group is in order, in one place; groups are in all places', async () => {
  const queue = await spreadQueue('groups');
  const groups = Array.from({ length: 60 }, (_, i) => `g${i}`);
  for (let round = 0; round < 5; round += 1) {
    await driver.publish(
      groups.map((groupId) => ({
        targets: [queue],
        message: newMessage(String(round), { groupId }),
      })),
    );
  }
  assert.ok(
    (await sizesOf(queue)).every((size) => size >= 10),
    'a place has too few groups',
  );
  const rounds = new Map(groups.map((group) => [group, 0]));
  for (let taken = 0; taken < 300;) {
    const messages = await take(driver, queue, 50);
    for (const { groupId, body } of messages) {
      assert.equal(Number(body), rounds.get(groupId!), `${groupId} is out of order`);
      rounds.set(groupId!, Number(body) + 1);
    }
    taken += messages.length;
    assert.deepEqual(await driver.settle(receipts(queue, messages)), []);
  }
  assert.deepEqual(new Set(rounds.values()), new Set([5]));
});

test('no place is starved, however much is in the others', async () => {
  const queue = await spreadQueue('fair');
  for (let i = 0; i < PLACES; i += 1) {
    const items = Array.from({ length: 200 }, () => ({
      targets: [queue],
      message: newMessage('x'),
    }));
    await driver.publish(items);
  }
  assert.deepEqual(
    await sizesOf(queue),
    Array.from({ length: PLACES }, () => 200),
    'not evenly filled',
  );
  for (let i = 0; i < 60; i += 1) assert.equal((await take(driver, queue, 5)).length, 5);
  assert.deepEqual(
    await sizesOf(queue),
    Array.from({ length: PLACES }, () => 150),
  );
  await driver.deleteQueue(queue, { onlyIfEmpty: false });
});

test('a take gathers from all places what one does not have, and a lone message is found', async () => {
  const queue = await spreadQueue('gather');
  for (let i = 0; i < PLACES; i += 1) {
    await send(driver, [queue], 'lone');
    const messages = await take(driver, queue, 10);
    assert.equal(messages.length, 1);
    assert.deepEqual(await driver.settle(receipts(queue, messages)), []);
  }
  for (let i = 0; i < 2 * PLACES; i += 1) await send(driver, [queue], String(i));
  assert.equal((await takeAll(queue, 100)).length, 2 * PLACES);
});

test('within a place, the higher priority and then the earlier comes first', async () => {
  const queue = await spreadQueue('priorities');
  for (const [i, priority] of [0, 5, 9, 5, 0].entries()) {
    await send(driver, [queue], `${priority}/${i}`, { priority, deduplicationId: 'one place' });
  }
  const bodies = (await takeAll(queue, 1)).map(({ body }) => body);
  assert.deepEqual(bodies, ['9/2', '5/1', '5/3', '0/0', '0/4']);
});

test('counts, browse, purge and delete concern all places', async () => {
  const queue = await spreadQueue('whole');
  for (let i = 0; i < 20; i += 1)
    await send(driver, [queue], 'ab', { delay: i % 4 === 0 ? 60_000 : 0 });
  const leased = await take(driver, queue, 6);
  const counts = async (): Promise<number[]> => {
    const { ready, scheduled, leased: held, bytes } = await driver.counts(queue);
    return [ready, scheduled, held, bytes];
  };
  assert.deepEqual(await counts(), [9, 5, 6, 40]);
  const ids = new Set<string>();
  for (const state of ['ready', 'scheduled', 'leased'] as const) {
    let cursor: string | undefined;
    do {
      const page = await driver.browse({ queue, state, cursor, limit: 3 });
      for (const { id, queueName } of page.messages) {
        assert.equal(queueName, 'whole');
        ids.add(id);
      }
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
  }
  assert.equal(ids.size, 20);
  for (const id of ids) assert.equal((await driver.get(id))?.id, id);
  assert.equal(await driver.purge(queue), 14);
  assert.deepEqual(await driver.deleteQueue(queue, { onlyIfEmpty: true }), {
    deleted: false,
    messages: 6,
  });
  assert.deepEqual(await driver.settle(receipts(queue, leased)), [], 'open again');
  assert.deepEqual(await driver.deleteQueue(queue, { onlyIfEmpty: true }), {
    deleted: true,
    messages: 0,
  });
  assert.deepEqual(await send(driver, [queue], 'a'), { status: 'missing', queue: 'whole' });
  const left = await Promise.all(
    client.nodes('master').map((node) => node.keys(`${prefix}:{q${queue.number}}*`)),
  );
  assert.deepEqual(left.flat(), []);
});

test('bounds hold over all places together, under senders at the same time', async () => {
  const queue = await spreadQueue('bound', { maxSize: 50 });
  const other = await openDriver({ cluster: nodes, prefix });
  const senders = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? driver : other));
  const outcomes = await Promise.all(
    senders.map((sender) => Promise.all([1, 2, 3, 4, 5].map(() => send(sender, [queue], 'x')))),
  );
  const stored = outcomes.flat().filter(({ status }) => status === 'stored').length;
  assert.equal(stored, 50);
  assert.equal((await driver.counts(queue)).ready, 50);
  await other.close();
});

test('limits in flight and in time hold over all places together', async () => {
  const queue = await spreadQueue('flight', {
    maxInFlight: 12,
    rateLimit: { max: 60, per: 60_000 },
  });
  for (let i = 0; i < 90; i += 1) await send(driver, [queue], 'x');
  let delivered = 0;
  for (let held = await takeAll(queue, 5); held.length > 0; held = await takeAll(queue, 5)) {
    assert.ok(held.length <= 12, `${held.length} in flight`);
    delivered += held.length;
    await driver.settle(receipts(queue, held));
  }
  assert.ok(delivered >= 60 && delivered <= 61, `${delivered} delivered`);
  const { retryIn } = await driver.take({
    queue,
    consumerId: 'c',
    max: 5,
    leaseDuration: 1_000,
    bound: false,
    perGroup: 1,
  });
  assert.ok(retryIn !== null && retryIn > 0 && retryIn <= 6_000);
});

test('a limit that cannot be divided is refused', async () => {
  const small = await spreadQueue('small', { maxSize: PLACES - 1 });
  await assert.rejects(send(driver, [small], 'a'), { code: 'VALIDATION' });
  const slow = await spreadQueue('slow', { rateLimit: { max: 1, per: 1_000 } });
  await assert.rejects(take(driver, slow), { code: 'VALIDATION' });
});

test('suspects come alone, whatever the other places have', async () => {
  const queue = await spreadQueue('suspects');
  for (let i = 0; i < 30; i += 1) await send(driver, [queue], String(i));
  const held = await takeAll(queue, 100);
  const [first, second, ...others] = receipts(queue, held);
  await driver.release([
    ...[first!, second!].map((receipt) => {
      return { receipt, delay: 0, as: 'retry', suspect: true } as const;
    }),
    ...others.map((receipt) => ({ receipt, delay: 0, as: 'requeue' }) as const),
  ]);
  const suspects = new Set([first!.id, second!.id]);
  let seen = 0;
  while (seen < 30) {
    const batch = await take(driver, queue, 7);
    const isSuspect = batch.some(({ id }) => suspects.has(id));
    assert.ok(!isSuspect || batch.length === 1, 'a suspect with others');
    await driver.settle(receipts(queue, batch));
    seen += batch.length;
  }
});

test('messages move in and out, and are settled where they came from elsewhere', async () => {
  const queue = await spreadQueue('middle');
  const source = await createQueue(driver, 'source');
  const dead = await createQueue(driver, 'dead');
  for (let i = 0; i < 12; i += 1) await send(driver, [source], String(i), { groupId: `g${i % 5}` });
  for (let moved = 0; moved < 12;) {
    const held = receipts(source, await take(driver, source));
    const outcomes = await driver.move(held.map((receipt) => ({ receipt, targets: [queue] })));
    assert.ok(outcomes.every(({ status }) => status === 'moved'));
    moved += held.length;
  }
  assert.equal((await driver.counts(queue)).ready, 12);
  const got: string[] = [];
  for (let round = 0; got.length < 12; round += 1) {
    const messages = await take(driver, queue);
    const held = receipts(queue, messages);
    assert.deepEqual(
      await driver.extend(held.map((receipt) => ({ receipt, leaseDuration: 60_000 }))),
      [],
    );
    got.push(...messages.map(({ body }) => body as string));
    if (round > 0) {
      assert.deepEqual(await driver.settle(held), []);
      continue;
    }
    const outcomes = await driver.move(held.map((receipt) => ({ receipt, targets: [dead] })));
    assert.ok(outcomes.every(({ status }) => status === 'moved'));
  }
  assert.equal(new Set(got).size, 12);
  assert.equal((await driver.counts(queue)).leased, 0);
  const fake = { queue, id: '0'.repeat(32), token: 1 };
  assert.deepEqual(await driver.settle([fake]), [0]);
});

test('deduplication holds, and so does a fan-out to a queue in many places', async () => {
  const queue = await spreadQueue('dedup', { deduplicationWindow: 60_000 });
  const whole = await createQueue(driver, 'dedup-whole', { deduplicationWindow: 60_000 });
  for (let i = 0; i < 10; i += 1) {
    const first = await send(driver, [queue, whole], 'a', { deduplicationId: `d${i}` });
    assert.equal(first.status, 'stored');
    const second = await send(driver, [queue], 'a', { deduplicationId: `d${i}` });
    assert.deepEqual(second, { status: 'duplicate', id: (first as { id: string }).id });
  }
  assert.equal((await driver.counts(queue)).ready, 10);
  assert.equal((await driver.counts(whole)).ready, 10);
});

test('another process finds the places, sweeps them, and is told of them', async () => {
  const queue = await spreadQueue('others');
  const other = await openDriver({ cluster: nodes, prefix });
  const told: string[] = [];
  other.notifier.subscribe((number, what) => {
    if (number === queue.number) told.push(what);
  });
  other.notifier.follow!(queue.number);
  await poll(() => told.length > 0, 'it follows');
  for (let i = 0; i < PLACES; i += 1) {
    assert.equal((await takeAll(queue, 10, other)).length, 0);
    told.length = 0;
    await send(driver, [queue], 'a');
    await poll(() => told.includes('ready'), 'it is told, whichever place it is');
    assert.equal((await takeAll(queue, 10, other)).length, 1);
  }
  await other.close();
  const clock = { now: () => Date.now() + 31_000, setTimer: () => ({ cancel: () => undefined }) };
  const sweeper = await openDriver({ cluster: nodes, prefix, clock });
  const swept = new Set<string>();
  await poll(async () => {
    const { messages } = await sweeper.sweep(100);
    for (const message of messages) if (message.queue === queue.number) swept.add(message.id);
    return swept.size === PLACES;
  }, 'leases in all places have ended');
  await sweeper.close();
});
