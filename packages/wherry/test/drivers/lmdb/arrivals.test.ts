import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { QueueRef } from '../../../src/core/driver.ts';
import { DATA_FILE } from '../../../src/drivers/lmdb/tables.ts';
import { bodies, type Fixture, receiptOf } from './fixture.ts';
import { begun, expectSound, Taker, UNSTORABLE } from './taker.ts';

function writtenAt(fixture: Fixture): bigint {
  return statSync(join(fixture.path, DATA_FILE), { bigint: true }).mtimeNs;
}

test('whoever waits has a message before it is stored', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  const sent = fixture.publish(queue, { body: '1' }, { body: '2' });
  const before = writtenAt(fixture);
  await Promise.resolve();
  assert.deepEqual(bodies(taker.came), ['1', '2']);
  assert.equal(writtenAt(fixture), before);
  assert.deepEqual(
    await sent,
    taker.came.map(({ id }) => id),
  );
  assert.notEqual(writtenAt(fixture), before);
  const { ready, leased } = await fixture.driver.counts(queue);
  assert.deepEqual([ready, leased], [0, 2]);
  // It is stored now: that takes a commit.
  assert.equal(taker.settle(taker.came[0]!), false);
  const receipts = taker.came.map((one) => receiptOf(queue, one));
  assert.deepEqual(await fixture.driver.settle(receipts), []);
  assert.equal((await fixture.driver.counts(queue)).leased, 0);
  await expectSound(fixture);
});

test('what is settled before it is stored never is', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  taker.settles = true;
  const before = writtenAt(fixture);
  const first = await fixture.publish(queue, { body: '1' }, { body: '2' });
  const second = await fixture.publish(queue, { body: '3' });
  assert.deepEqual(
    [...first, ...second],
    taker.came.map(({ id }) => id),
  );
  assert.equal(new Set(taker.came.map(({ id }) => id)).size, 3);
  assert.equal(writtenAt(fixture), before);
  assert.deepEqual(
    taker.came.map((one) => taker.settle(one)),
    [false, false, false],
  );
  const receipts = taker.came.map((one) => receiptOf(queue, one));
  assert.deepEqual(await fixture.driver.settle(receipts), [0, 1, 2]);
  assert.equal((await fixture.driver.counts(queue)).arrived, 4);
  await expectSound(fixture);
});

test('in one call some are settled, some are in hand, and some wait', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  taker.room = 2;
  const sent = fixture.publish(queue, { body: '1' }, { body: '2' }, { body: '3' });
  await Promise.resolve();
  assert.equal(taker.settle(taker.came[0]!), true);
  await sent;
  const { ready, leased, bytes } = await fixture.driver.counts(queue);
  assert.deepEqual([ready, leased, bytes], [1, 1, 2]);
  assert.deepEqual(bodies(await fixture.take(queue)), ['3']);
});

test('after a crash what was in hand comes again, as delivered before', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  await fixture.publish(queue, { body: '1' });
  await fixture.reopen();
  assert.equal((await fixture.driver.counts(queue)).leased, 1);
  const { messages } = await fixture.driver.sweep(10);
  assert.deepEqual(
    messages.map(({ id, deliveryCount }) => [id, deliveryCount]),
    [[taker.came[0]!.id, 1]],
  );
});

test('what has to be stored first is taken in its commit, and nobody else is woken', async (t) => {
  const { fixture, queue, taker } = await begun(t, { maxSize: 5 });
  const woken: number[] = [];
  fixture.driver.notifier.subscribe((number, what) => {
    if (what === 'ready') woken.push(number);
  });
  taker.room = 2;
  await fixture.publish(queue, { body: '1' }, { body: '2', ttl: 1_000 });
  assert.deepEqual([bodies(taker.came), woken], [['1', '2'], []]);
  await fixture.publish(queue, { body: '3' });
  assert.deepEqual([bodies(taker.came), woken], [['1', '2'], [queue.number]]);
  taker.room = 2;
  await fixture.publish(queue, { body: '4' });
  assert.deepEqual(bodies(taker.came), ['1', '2', '3', '4']);
  const receipts = taker.came.map((one) => receiptOf(queue, one));
  assert.deepEqual(await fixture.driver.settle(receipts), []);
  await expectSound(fixture);
});

test('nothing overtakes what was sent to the queue before', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  const other = await fixture.createQueue('other');
  const item = (targets: QueueRef[], body: string) => ({
    targets,
    message: { ...plain, body },
  });
  const plain = { encoding: 'text', bytes: 1, properties: null, priority: 0, delay: 0 } as const;
  const rest = { deliverAt: null, ttl: null, groupId: null, deduplicationId: null };
  const { driver } = fixture;
  const send = (targets: QueueRef[], body: string, atomic = false): Promise<unknown> => {
    const { message } = item(targets, body);
    return driver.publish([{ targets, message: { ...message, ...rest } }], { atomic });
  };
  taker.room = 100;
  // Each goes the usual way, or comes behind one that does.
  await Promise.all([
    send([queue], '1'),
    send([queue, other], '2'),
    send([queue], '3'),
    send([queue], '4', true),
    send([queue], '5'),
    fixture.publish(queue, { body: '6', ttl: 900 }, { body: '7' }),
  ]);
  await send([queue], '8');
  assert.deepEqual(bodies(taker.came), ['1', '2', '3', '4', '5', '6', '7', '8']);
});

test('a commit that fails is done again: nothing is stored twice, or not at all', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  const other = await fixture.createQueue('other');
  const sent = fixture.publish(queue, { body: '1' }, { body: '2' });
  const wrong = fixture.publish(other, { body: 'x' }, UNSTORABLE);
  await Promise.resolve();
  assert.equal(taker.settle(taker.came[0]!), true);
  await assert.rejects(wrong, TypeError);
  const [, second] = await sent;
  assert.equal(taker.came.length, 2);
  const { ready, leased } = await fixture.driver.counts(queue);
  assert.deepEqual([ready, leased], [0, 1]);
  const receipt = receiptOf(queue, taker.came[1]!);
  assert.equal(receipt.id, second);
  assert.deepEqual(await fixture.driver.settle([receipt]), []);
  // Nobody is kept from handing out what comes next.
  await fixture.publish(queue, { body: '3' });
  assert.deepEqual(bodies(taker.came), ['1', '2', '3']);
  await fixture.driver.settle([receiptOf(queue, taker.came[2]!)]);
  await expectSound(fixture);
});

test('what cannot be stored is gone from whoever has it', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  const sent = fixture.publish(queue, { body: '1', ...UNSTORABLE });
  await assert.rejects(sent, TypeError);
  const [one] = taker.came;
  assert.equal(taker.settle(one!), false);
  assert.deepEqual(await fixture.driver.settle([receiptOf(queue, one!)]), [0]);
  await fixture.publish(queue, { body: '2' });
  assert.deepEqual(bodies(taker.came), ['1', '2']);
});

test('a queue that is deleted meanwhile refuses what somebody has already', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  const deleted = fixture.driver.deleteQueue(queue, { onlyIfEmpty: false });
  const sent = fixture.publish(queue, { body: '1' });
  assert.deepEqual(await deleted, { deleted: true, messages: 0 });
  assert.deepEqual([await sent, bodies(taker.came)], [['missing'], ['1']]);
  assert.deepEqual(await fixture.driver.settle([receiptOf(queue, taker.came[0]!)]), [0]);
});

test('whoever comes or stops while messages are on their way gets them in order, or none', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  taker.stop();
  const sent = [fixture.publish(queue, { body: '1' })];
  const late = new Taker(fixture, queue);
  sent.push(fixture.publish(queue, { body: '2' }));
  await Promise.all(sent);
  assert.deepEqual(bodies(taker.came), []);
  const rest = bodies(await fixture.take(queue));
  assert.deepEqual([...bodies(late.came), ...rest], ['1', '2']);
});

test('no two messages get one place, whatever else is refused in their commit', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  const source = await fixture.createQueue('source');
  const full = await fixture.createQueue('full', { maxSize: 1 });
  await fixture.publish(full, { body: 'f' });
  await fixture.publish(source, { body: 's' });
  const [moving] = await fixture.take(source);
  taker.room = 1;
  const [moved, ids] = await Promise.all([
    fixture.driver.move([{ receipt: receiptOf(source, moving!), targets: [queue, full] }]),
    fixture.publish(queue, { body: 'A' }, { body: 'B' }),
  ]);
  assert.equal(moved[0]!.status, 'full');
  assert.notEqual(ids[0], ids[1]);
  taker.stop();
  const receipt = receiptOf(queue, taker.came[0]!);
  await fixture.driver.release([{ receipt, delay: 0, as: 'requeue' }]);
  const taken = await fixture.take(queue);
  assert.deepEqual(bodies(taken), ['A', 'B']);
  await fixture.reopen();
  await fixture.publish(queue, { body: 'C' });
  assert.deepEqual(bodies(await fixture.take(queue)), ['C']);
  assert.equal((await fixture.driver.counts(queue)).leased, 3);
});

test('what was never stored is counted, and its place stays its own, when the store is opened again', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  taker.settles = true;
  await fixture.publish(queue, { body: '1' }, { body: '2' });
  await fixture.reopen();
  assert.equal((await fixture.driver.counts(queue)).arrived, 3);
  const [id] = await fixture.publish(queue, { body: '3' });
  assert.ok(taker.came.every((one) => one.id !== id));
});

test('what goes back unseen is not overtaken, and leaves no mark', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  const sent = fixture.publish(queue, { body: '1' }, { body: '2' });
  await Promise.resolve();
  const [one, two] = taker.came.splice(0);
  const item = { receipt: receiptOf(queue, one!), delay: 0, as: 'unstarted' } as const;
  const released = fixture.driver.release([item]);
  const next = fixture.publish(queue, { body: '3' });
  await Promise.all([sent, released, next]);
  assert.deepEqual(bodies(taker.came), ['1', '3']);
  const receipts = [two!, ...taker.came].map((message) => receiptOf(queue, message));
  assert.deepEqual(await fixture.driver.settle(receipts), []);
  await expectSound(fixture);
});

test('what is stored while the store is closed is known as handed out', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  const sent = fixture.publish(queue, { body: '1' });
  await fixture.reopen();
  await sent;
  assert.equal((await fixture.driver.counts(queue)).leased, 1);
  assert.equal(taker.settle(taker.came[0]!), false);
  await fixture.driver.close();
  assert.equal(taker.settle(taker.came[0]!), false);
  await fixture.driver.open();
});

/** So many in one call that it is work, and not time, that counts. */
const MANY = Array.from({ length: 40 }, (_, i) => ({ body: String(i) }));

test('who is quick is waited for, and no answer of before waits with it', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  const other = await fixture.createQueue('other');
  taker.room = 2 * MANY.length;
  // The clock stands still: the second call waits for its consumer, until there is other work.
  const first = fixture.publish(other, { body: '1' });
  const before = fixture.publish(queue, ...MANY);
  await first;
  let isStored = false;
  const waiting = fixture.publish(queue, ...MANY).then(() => (isStored = true));
  await before;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(isStored, false);
  for (const one of taker.came.slice(MANY.length)) assert.equal(taker.settle(one), true);
  await waiting;
  assert.equal((await fixture.driver.counts(queue)).leased, MANY.length);
});

test('of many at once who is slow has none before they are stored, but is tried again', async (t) => {
  const { fixture, queue, taker } = await begun(t);
  let early = 0;
  const send = async (): Promise<void> => {
    taker.room = MANY.length;
    const sent = fixture.publish(queue, ...MANY);
    await Promise.resolve();
    const came = taker.came.length > 0;
    early += came ? 1 : 0;
    // It settles them, but not in time.
    fixture.clock.advance(1);
    await sent;
    const receipts = taker.came.splice(0).map((one) => receiptOf(queue, one));
    assert.equal(receipts.length, MANY.length);
    await fixture.driver.settle(receipts);
  };
  for (let i = 0; i < 40; i++) await send();
  assert.ok(early >= 20 && early < 30, `${early} of 40`);
  early = 0;
  for (let i = 0; i < 64; i++) await send();
  assert.equal(early, 2);
  taker.room = 1;
  const sent = fixture.publish(queue, { body: 'alone' });
  await Promise.resolve();
  assert.deepEqual(bodies(taker.came), ['alone']);
  await sent;
});
