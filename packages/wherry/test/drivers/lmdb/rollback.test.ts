import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NewMessage } from '../../../src/core/driver.ts';
import { doctor } from '../../../src/drivers/lmdb/doctor.ts';
import { bodies, Fixture, receiptOf } from './fixture.ts';

/** JSON has no bigint: storing it fails in the middle of a commit. */
const UNSTORABLE = { properties: { headers: { n: 1n } } } as unknown as Partial<NewMessage>;

test('G13 a call that cannot be stored fails alone; those in its commit are done once', async (t) => {
  const fixture = await Fixture.create(t);
  const { driver } = fixture;
  const queue = await fixture.createQueue('queue');
  const dead = await fixture.createQueue('dead');
  await fixture.publish(
    queue,
    ...['1', '2', '3', '4', '5', '6'].map((body) => ({ body })),
    { body: 'g1', groupId: 'g', ttl: 900 },
    { body: 'g2', groupId: 'g' },
  );
  const [first, second, third, fourth] = await fixture.take(queue, { max: 4 });
  // All of these are one commit, which fails at its end and is tried again without the last.
  const results = await Promise.allSettled([
    fixture.publish(queue, { body: '7', delay: 50 }),
    driver.settle([receiptOf(queue, first!)]),
    driver.release([{ receipt: receiptOf(queue, second!), delay: 0, as: 'retry' }]),
    driver.move([{ receipt: receiptOf(queue, third!), targets: [dead] }]),
    driver.extend([{ receipt: receiptOf(queue, fourth!), leaseDuration: 9_000 }]),
    fixture.take(queue, { max: 2 }),
    fixture.publish(queue, { body: 'good' }, UNSTORABLE),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    [...Array.from({ length: 6 }, () => 'fulfilled'), 'rejected'],
  );
  const taken = results[5] as PromiseFulfilledResult<Awaited<ReturnType<Fixture['take']>>>;
  assert.deepEqual(bodies(taken.value), ['2', '5']);
  const counts = await driver.counts(queue);
  assert.deepEqual(
    [counts.ready, counts.scheduled, counts.leased, counts.bytes],
    [3, 1, 3, 4 + 4 + 1],
  );
  assert.equal((await driver.counts(dead)).ready, 1);
  const leased = await driver.browse({ queue, state: 'leased', limit: 10 });
  const now = fixture.clock.now();
  assert.deepEqual(
    leased.messages.map(({ body, lease }) => [body, lease!.until - now]),
    [
      ['2', 1_000],
      ['4', 9_000],
      ['5', 1_000],
    ],
  );
  assert.deepEqual(bodies(await fixture.take(queue)), ['6', 'g1']);
  await driver.close();
  assert.deepEqual((await doctor(fixture.path)).problems, []);
  await driver.open();
});

test('an early take is answered before its commit, and taken back with it', async (t) => {
  const fixture = await Fixture.create(t);
  const { driver } = fixture;
  const queue = await fixture.createQueue('queue');
  await fixture.publish(queue, { body: '1' }, { body: '2' });
  const take = (early: boolean): ReturnType<typeof driver.take> =>
    driver.take({
      queue,
      consumerId: 'me',
      max: 1,
      leaseDuration: 1_000,
      bound: true,
      perGroup: 1,
      early,
    });
  const order: string[] = [];
  const tell =
    (name: string) =>
    <T>(value: T): T => {
      order.push(name);
      return value;
    };
  const [late, early] = await Promise.all([
    take(false).then(tell('late')),
    take(true).then(tell('early')),
    fixture.publish(queue, { body: '3' }).then(tell('stored')),
  ]);
  assert.deepEqual(order, ['early', 'late', 'stored']);
  assert.deepEqual(bodies([...late.messages, ...early.messages]), ['1', '2']);
  assert.deepEqual(await driver.settle([receiptOf(queue, early.messages[0]!)]), []);
  // In one commit with what cannot be stored, it is done again, and answered once.
  const [third, wrong] = await Promise.allSettled([
    take(true),
    fixture.publish(queue, { body: '4' }, UNSTORABLE),
  ]);
  assert.deepEqual([third.status, wrong.status], ['fulfilled', 'rejected']);
  const counts = await driver.counts(queue);
  assert.deepEqual([counts.ready, counts.leased], [0, 2]);
  await driver.close();
  assert.deepEqual((await doctor(fixture.path)).problems, []);
  await driver.open();
  assert.equal(driver.recoveredAt, null);
});

test('a call that cannot be stored changes nothing', async (t) => {
  const fixture = await Fixture.create(t);
  const queue = await fixture.createQueue('queue', { maxSize: 3 });
  await fixture.publish(queue, { body: '1' });
  const before = await fixture.driver.counts(queue);
  await assert.rejects(fixture.publish(queue, { body: '2', groupId: 'g' }, UNSTORABLE), TypeError);
  assert.deepEqual(await fixture.driver.counts(queue), before);
  assert.deepEqual(bodies(await fixture.take(queue)), ['1']);
  const [, next] = await fixture.publish(queue, { body: '2' }, { body: '3' }, { body: '4' });
  assert.match(next!, /^[0-9a-f]{32}$/);
  await fixture.driver.close();
  assert.deepEqual((await doctor(fixture.path)).problems, []);
  await fixture.driver.open();
});
