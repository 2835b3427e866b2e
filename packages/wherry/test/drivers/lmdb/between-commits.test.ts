import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LeasedMessage, NewMessage, QueueRef } from '../../../src/core/driver.ts';
import { doctor } from '../../../src/drivers/lmdb/doctor.ts';
import { copyOf, DATA_FILE } from '../../../src/drivers/lmdb/tables.ts';
import { bodies, Fixture, receiptOf } from './fixture.ts';
import { expectSound } from './taker.ts';

const DEADLINE_MS = 5_000;

/** A store from which something was taken already: its first token takes a commit. */
async function begun(t: TestContext): Promise<{ fixture: Fixture; queue: QueueRef }> {
  const fixture = await Fixture.create(t);
  // As AMQP has it: what is in hand does not count towards a bound.
  const queue = await fixture.createQueue('queue', { boundOn: 'waiting' });
  await begin(fixture, queue);
  return { fixture, queue };
}

async function begin(fixture: Fixture, queue: QueueRef): Promise<void> {
  await fixture.publish(queue, { body: 'first' });
  const [first] = await takeOne(fixture, queue);
  await fixture.driver.settle([receiptOf(queue, first!)]);
}

function takeOne(fixture: Fixture, queue: QueueRef): Promise<readonly LeasedMessage[]> {
  return fixture.take(queue, { max: 1, early: true });
}

/** When something was written last. */
function writtenAt(fixture: Fixture): bigint {
  return statSync(join(fixture.path, DATA_FILE), { bigint: true }).mtimeNs;
}

test('an early take needs no commit of its own, and is stored soon', async (t) => {
  const { fixture, queue } = await begun(t);
  await fixture.publish(queue, { body: '1' });
  const before = writtenAt(fixture);
  assert.deepEqual(bodies(await takeOne(fixture, queue)), ['1']);
  assert.equal(writtenAt(fixture), before);
  fixture.clock.advance(20);
  const deadline = Date.now() + DEADLINE_MS;
  while (writtenAt(fixture) === before && Date.now() < deadline) await sleep(5);
  assert.notEqual(writtenAt(fixture), before);
});

test('what was handed out when the store was closed is known when it is opened again', async (t) => {
  const { fixture, queue } = await begun(t);
  await fixture.publish(queue, { body: '1' }, { body: '2' });
  await takeOne(fixture, queue);
  await fixture.reopen();
  const counts = await fixture.driver.counts(queue);
  assert.deepEqual([counts.ready, counts.leased], [1, 1]);
  const { messages } = await fixture.driver.sweep(10);
  assert.deepEqual(bodies(messages), ['1']);
});

test('what was settled before it was stored leaves nothing behind', async (t) => {
  const { fixture, queue } = await begun(t);
  await fixture.publish(queue, { body: '1' });
  const [one] = await takeOne(fixture, queue);
  assert.deepEqual(await fixture.driver.settle([receiptOf(queue, one!)]), []);
  await expectSound(fixture);
});

test('a commit that fails takes nothing back of it', async (t) => {
  const { fixture, queue } = await begun(t);
  await fixture.publish(queue, { body: '1' }, { body: '2' });
  const [one] = await takeOne(fixture, queue);
  // JSON has no bigint: storing it fails in the middle of a commit.
  const unstorable = { body: '3', properties: { headers: { n: 1n } } };
  const wrong = unstorable as unknown as Partial<NewMessage>;
  await assert.rejects(fixture.publish(queue, wrong), TypeError);
  assert.deepEqual(bodies(await takeOne(fixture, queue)), ['2']);
  assert.deepEqual(await takeOne(fixture, queue), []);
  assert.deepEqual(await fixture.driver.settle([receiptOf(queue, one!)]), []);
  await fixture.reopen();
  assert.equal((await fixture.driver.counts(queue)).leased, 1);
});

test('what is handed out is not replaced any more', async (t) => {
  const { fixture, queue } = await begun(t);
  const last = { deduplicationId: 'd', keepLast: true };
  await fixture.publish(queue, { body: '0' }, { ...last, body: '1' });
  const taken = await fixture.take(queue, { early: true });
  assert.deepEqual(bodies(taken), ['0']);
  assert.deepEqual(bodies(await takeOne(fixture, queue)), ['1']);
  await fixture.publish(queue, { ...last, body: '2' });
  assert.deepEqual(bodies(await takeOne(fixture, queue)), ['2']);
  await fixture.driver.close();
  assert.deepEqual((await doctor(fixture.path)).problems, []);
  await fixture.driver.open();
});

test('a record that cannot be read is set aside, and stops nobody', async (t) => {
  const { fixture, queue } = await begun(t);
  await fixture.publish(queue, { body: '1' }, { body: '2' });
  await fixture.behindItsBack(({ messages }) => {
    const [entry] = [...messages.getRange()].map(({ key, value }) => ({
      key,
      value: copyOf(value),
    }));
    messages.putSync(entry!.key, entry!.value.fill(0xee));
  });
  await fixture.driver.open();
  const other = await fixture.createQueue('other');
  await begin(fixture, other);
  assert.deepEqual(bodies(await takeOne(fixture, queue)), ['2']);
  assert.equal((await fixture.driver.counts(queue)).ready, 0);
});

test('who waits for room is told of it', async (t) => {
  const { fixture } = await begun(t);
  const queue = await fixture.createQueue('bounded', { boundOn: 'waiting', maxSize: 1 });
  await fixture.publish(queue, { body: '1' });
  const told: string[] = [];
  fixture.driver.notifier.subscribe((number, what) => told.push(`${number} ${what}`));
  assert.deepEqual(bodies(await takeOne(fixture, queue)), ['1']);
  const deadline = Date.now() + DEADLINE_MS;
  while (told.length === 0 && Date.now() < deadline) await sleep(5);
  assert.deepEqual(told, [`${queue.number} room`]);
});

test('limits, delays and rates are kept', async (t) => {
  const { fixture } = await begun(t);
  const rate = { max: 1, per: 1_000 };
  const limited = await fixture.createQueue('limited', { rateLimit: rate });
  await fixture.publish(limited, { body: '1' }, { body: '2' });
  assert.deepEqual(bodies(await takeOne(fixture, limited)), ['1']);
  assert.deepEqual(await takeOne(fixture, limited), []);
  const bounded = await fixture.createQueue('bounded', { maxInFlight: 1 });
  await fixture.publish(bounded, { body: '1' }, { body: '2' });
  const [one] = await takeOne(fixture, bounded);
  assert.deepEqual(await takeOne(fixture, bounded), []);
  await fixture.driver.settle([receiptOf(bounded, one!)]);
  assert.deepEqual(bodies(await takeOne(fixture, bounded)), ['2']);
  const delayed = await fixture.createQueue('delayed');
  await fixture.publish(delayed, { body: '1', delay: 50 });
  assert.deepEqual(await takeOne(fixture, delayed), []);
  fixture.clock.advance(50);
  assert.deepEqual(bodies(await takeOne(fixture, delayed)), ['1']);
});
