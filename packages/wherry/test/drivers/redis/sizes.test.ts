/** Short and long messages travel in different ways; batches that are too large, in parts. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Driver, NewMessage, QueueRef } from '../../../src/core/driver.ts';
import { type RedisServer, startRedis } from '../../servers/redis.ts';
import { createQueue, newMessage, openDriver, receipts, take } from './fixture.ts';

let redis: RedisServer;
let driver: Driver;

before(async () => {
  redis = await startRedis();
  driver = await openDriver({ url: redis.url });
});

after(async () => {
  await driver.close();
  await redis.stop();
});

async function sendAll(queue: QueueRef, messages: readonly NewMessage[]): Promise<string[]> {
  const outcomes = await driver.publish(messages.map((message) => ({ targets: [queue], message })));
  return outcomes.map((outcome) => {
    assert.equal(outcome.status, 'stored');
    return outcome.id;
  });
}

const LENGTHS = [0, 1, 100, 506, 507, 508, 511, 512, 513, 3, 5_000, 70_000, 2, 64_000, 64_000, 9];
/** Each unlike the others, also in its middle. */
const BODIES = LENGTHS.map((length, index) => `${index}:`.repeat(length).slice(0, length));

test('messages of all lengths come back as they were, in order', async () => {
  const queue = await createQueue(driver, 'lengths');
  for (const fields of [{}, { priority: 3 }, { groupId: 'g' }, { ttl: 60_000 }]) {
    const ids = await sendAll(
      queue,
      BODIES.map((body) => newMessage(body, fields)),
    );
    const taken: string[] = [];
    const bodies: unknown[] = [];
    while (taken.length < ids.length) {
      const messages = await take(driver, queue);
      assert.notEqual(messages.length, 0);
      taken.push(...messages.map(({ id }) => id));
      bodies.push(...messages.map(({ body }) => body));
      assert.deepEqual(await driver.settle(receipts(queue, messages)), []);
    }
    assert.deepEqual(taken, ids);
    assert.deepEqual(bodies, BODIES);
  }
});

test('what was given back comes back as it was, among others', async () => {
  const queue = await createQueue(driver, 'given-back');
  await sendAll(
    queue,
    BODIES.map((body) => newMessage(body)),
  );
  const messages = await take(driver, queue);
  const back = receipts(
    queue,
    messages.filter((_, index) => index % 2 === 0),
  );
  await driver.release(back.map((receipt) => ({ receipt, delay: 0, as: 'retry' })));
  await sendAll(queue, [newMessage('last')]);
  const again = await take(driver, queue);
  const expected = [...BODIES.filter((_, index) => index % 2 === 0), 'last'];
  assert.deepEqual(
    again.map(({ body }) => body),
    expected,
  );
});

test('a batch that is too large for one script goes in parts, in order', async () => {
  const queue = await createQueue(driver, 'parts');
  const bodies = [7, 8, 1, 9, 2].map((size, index) => String(index).repeat(size * 1024 * 1024));
  const ids = await sendAll(
    queue,
    bodies.map((body) => newMessage(body)),
  );
  // One script answers some 16 MiB.
  const first = await take(driver, queue);
  assert.deepEqual(
    first.map(({ id }) => id),
    ids.slice(0, first.length),
  );
  assert.ok(first.length > 0 && first.length < ids.length, `${first.length} at once`);
  const rest = await take(driver, queue);
  assert.deepEqual(
    rest.map(({ id }) => id),
    ids.slice(first.length),
  );
  const messages = [...first, ...rest];
  assert.ok(messages.every(({ body }, index) => body === bodies[index]));
});

test('more than one script leases, settles and moves at a time', async () => {
  const source = await createQueue(driver, 'many');
  const target = await createQueue(driver, 'moved');
  const count = 5_001;
  await sendAll(
    source,
    Array.from({ length: count }, (_, index) => newMessage(String(index))),
  );
  const taken = [];
  for (let left = count; left > 0;) {
    const messages = await take(driver, source, left);
    assert.notEqual(messages.length, 0);
    taken.push(...messages);
    left -= messages.length;
  }
  const held = receipts(source, taken);
  const stranger = { ...held[0]!, token: 1 };
  assert.deepEqual(await driver.settle([stranger, ...held.slice(0, 4_500), stranger]), [0, 4_501]);
  const moves = held.slice(4_500).map((receipt) => ({ receipt, targets: [target] }));
  const outcomes = await driver.move(moves);
  assert.ok(outcomes.every(({ status }) => status === 'moved'));
  assert.equal((await driver.counts(target)).ready, count - 4_500);
  assert.equal((await driver.counts(source)).leased, 0);
});
