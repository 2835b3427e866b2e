import assert from 'node:assert/strict';
import type { PublishOutcome, QueueRef } from '../../core/driver.ts';
import type { AspectTests } from './aspect.ts';
import { type Fixture, newMessage, type StoredOutcome } from './fixture.ts';

const DUPLICATE = { status: 'duplicate', id: '' };

/** Sends a message that only passes if `value` is greater than those before. */
function sendFenced(
  t: Fixture,
  queue: QueueRef,
  value: number,
  key = 'k',
): Promise<PublishOutcome> {
  return t.publish([queue], newMessage(`${key} ${value}`, { fence: { key, value } }));
}

export const fenceTests: AspectTests = {
  'G12 a fence lets a value in that is greater than the last': async (t) => {
    const queue = await t.createQueue('fence');
    for (const value of [0, 5, Number.MAX_SAFE_INTEGER]) {
      assert.equal((await sendFenced(t, queue, value)).status, 'stored');
      assert.deepEqual(await sendFenced(t, queue, value), DUPLICATE);
      assert.deepEqual(await sendFenced(t, queue, Math.max(0, value - 1)), DUPLICATE);
    }
    const texts = ['k 0', 'k 5', `k ${Number.MAX_SAFE_INTEGER}`];
    assert.deepEqual(await t.takeTexts(queue), texts);
  },

  'G12 each key of each queue has its own fence': async (t) => {
    const one = await t.createQueue('one');
    const two = await t.createQueue('two');
    const keys = ['a', 'A', 'a b', 'a/b:c', 'ü', '🚣', 'x'.repeat(255), '__proto__', ''];
    for (const key of keys) {
      assert.equal((await sendFenced(t, one, 2, key)).status, 'stored', key);
      assert.deepEqual(await sendFenced(t, one, 1, key), DUPLICATE, key);
    }
    assert.equal((await sendFenced(t, two, 1, 'a')).status, 'stored');
  },

  'G12 a fence holds when its message is gone, for ever': async (t) => {
    const queue = await t.createQueue('fence-gone');
    await sendFenced(t, queue, 1);
    await t.settle(queue, await t.takeOne(queue));
    await sendFenced(t, queue, 2);
    await t.driver.purge(queue);
    t.clock.advance(10 * 365 * 86_400_000);
    await t.sweep();
    assert.deepEqual(await sendFenced(t, queue, 2), DUPLICATE);
    assert.equal((await sendFenced(t, queue, 3)).status, 'stored');
  },

  'G12 a refused send moves no fence': async (t) => {
    const queue = await t.createQueue('fence-full', { maxSize: 1 });
    await t.send(queue, 'fills it');
    assert.equal((await sendFenced(t, queue, 1)).status, 'full');
    await t.settle(queue, await t.takeOne(queue));
    assert.equal((await sendFenced(t, queue, 1)).status, 'stored');
    assert.deepEqual(await sendFenced(t, queue, 1), DUPLICATE, 'of a full queue too');
  },

  'G12 a fence holds within one batch': async (t) => {
    const queue = await t.createQueue('fence-batch');
    const items = [3, 1, 4, 4].map((value) => ({
      targets: [queue],
      message: newMessage(String(value), { fence: { key: 'k', value } }),
    }));
    const outcomes = await t.driver.publish(items);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['stored', 'duplicate', 'stored', 'duplicate'],
    );
    assert.deepEqual(await t.takeTexts(queue), ['3', '4']);
  },

  'G12 G13 an atomic batch that is refused moves no fence': {
    needs: 'atomicBatch',
    body: async (t) => {
      const queue = await t.createQueue('fence-atomic');
      const full = await t.createQueue('full', { maxSize: 0 });
      await sendFenced(t, queue, 1);
      const items = [
        { targets: [queue], message: newMessage('2', { fence: { key: 'k', value: 2 } }) },
        { targets: [queue], message: newMessage('1', { fence: { key: 'new', value: 1 } }) },
        { targets: [full], message: newMessage('refused') },
      ];
      await t.driver.publish(items, { atomic: true });
      assert.equal((await sendFenced(t, queue, 2)).status, 'stored');
      assert.equal((await sendFenced(t, queue, 1, 'new')).status, 'stored');
    },
  },

  'G12 each queue of a fan-out has its own fence': async (t) => {
    const one = await t.createQueue('one');
    const two = await t.createQueue('two');
    await sendFenced(t, one, 1);
    const message = newMessage('fan-out', { fence: { key: 'k', value: 1 } });
    const partly = (await t.publish([one, two], message)) as StoredOutcome;
    assert.equal(partly.status, 'stored');
    assert.deepEqual([partly.id, partly.ids?.[0]], ['', '']);
    assert.deepEqual(await t.takeTexts(two), ['fan-out']);
    assert.deepEqual(await t.publish([one, two], message), { ...DUPLICATE, ids: ['', ''] });
  },

  'G12 a deduplicationId that is remembered tells the id that a fence does not know': async (t) => {
    const queue = await t.createQueue('fence-dedup', { deduplicationWindow: 1_000 });
    const fields = { deduplicationId: 'd', fence: { key: 'k', value: 1 } };
    const id = await t.send(queue, 'first', fields);
    const again = await t.publish([queue], newMessage('again', fields));
    assert.deepEqual(again, { status: 'duplicate', id });
    const fenced = newMessage('other', { ...fields, deduplicationId: 'other' });
    assert.deepEqual(await t.publish([queue], fenced), DUPLICATE);
    const free = newMessage('free', { deduplicationId: 'other' });
    assert.equal((await t.publish([queue], free)).status, 'stored', 'no record was left');
  },

  'G12 a fence holds for what would replace, too': async (t) => {
    const queue = await t.createQueue('fence-last');
    const send = (text: string, value: number): Promise<PublishOutcome> =>
      t.publish(
        [queue],
        newMessage(text, { deduplicationId: 'd', keepLast: true, fence: { key: 'k', value } }),
      );
    await send('first', 1);
    assert.equal((await send('second', 2)).status, 'replaced');
    assert.deepEqual(await send('late', 1), DUPLICATE);
    assert.deepEqual(await t.takeTexts(queue), ['second']);
  },

  'G12 a queue that is made again has no fences': async (t) => {
    const first = await t.createQueue('again');
    await sendFenced(t, first, 1);
    await t.deleteQueue(first);
    const second = await t.createQueue('again');
    assert.equal((await sendFenced(t, second, 1)).status, 'stored');
  },

  'G12 of one value sent at the same time by many, one passes its fence': async (t) => {
    const queue = await t.createQueue('fence-many');
    const sends = Array.from({ length: 60 }, (_, i) => sendFenced(t, queue, Math.floor(i / 20)));
    const outcomes = await Promise.all(sends);
    const stored = outcomes.filter(({ status }) => status === 'stored');
    assert.ok(stored.length >= 1 && stored.length <= 3);
    const texts = await t.takeTexts(queue);
    assert.equal(texts.length, stored.length);
    assert.equal(new Set(texts).size, texts.length);
    assert.deepEqual(texts, texts.toSorted(), 'and they grow');
  },
};
