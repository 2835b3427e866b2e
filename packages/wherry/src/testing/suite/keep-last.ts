import assert from 'node:assert/strict';
import type { NewMessage, PublishOutcome, QueueRef } from '../../core/driver.ts';
import type { AspectTests } from './aspect.ts';
import { type Fixture, newMessage, receiptOf, type StoredOutcome, textOf } from './fixture.ts';

const LAST = { deduplicationId: 'd', keepLast: true } as const;

/** Sends a message that is to be the only one under its id. */
function sendLast(
  t: Fixture,
  queue: QueueRef,
  text: string,
  fields: Partial<NewMessage> = {},
): Promise<PublishOutcome> {
  return t.publish([queue], newMessage(text, { ...LAST, ...fields }));
}

export const keepLastTests: AspectTests = {
  'G12 with keepLast the next one takes the place of the one that waits': async (t) => {
    const queue = await t.createQueue('last');
    await t.send(queue, 'before');
    const first = await sendLast(t, queue, 'first', {
      properties: { messageId: 'one' },
      deaths: [{ queue: 'q', reason: 'rejected', time: 1, count: 1 }],
    });
    await t.send(queue, 'behind');
    const { id, sequence, timestamp, publishId } = await t.get((first as StoredOutcome).id);
    t.clock.advance(10);
    const second = await sendLast(t, queue, 'the second', { properties: { messageId: 'two' } });
    assert.deepEqual(second, { status: 'replaced', id });
    const replaced = await t.get(id);
    assert.equal(textOf(replaced), 'the second');
    assert.deepEqual(replaced.properties, { messageId: 'two' });
    assert.deepEqual(replaced.deaths, []);
    assert.equal(replaced.availableAt, t.clock.now());
    assert.deepEqual(
      [replaced.sequence, replaced.timestamp, replaced.publishId, replaced.deduplicationId],
      [sequence, timestamp, publishId, 'd'],
    );
    assert.equal((await t.driver.counts(queue)).bytes, 'beforethe secondbehind'.length);
    assert.deepEqual(await t.takeTexts(queue), ['before', 'the second', 'behind']);
  },

  'G12 a place that was taken keeps its priority': async (t) => {
    const queue = await t.createQueue('last-priority');
    await sendLast(t, queue, 'first', { priority: 1 });
    await t.send(queue, 'other', { priority: 5 });
    await sendLast(t, queue, 'second', { priority: 9 });
    assert.deepEqual(await t.takeTexts(queue), ['other', 'second']);
  },

  'G12 with keepLast a delay begins again with each': async (t) => {
    const queue = await t.createQueue('last-delay');
    await sendLast(t, queue, 'first', { delay: 100 });
    t.clock.advance(60);
    assert.equal((await sendLast(t, queue, 'second', { delay: 100 })).status, 'replaced');
    t.clock.advance(99);
    assert.deepEqual(await t.take(queue), []);
    assert.deepEqual(await t.states(queue), { ready: 0, scheduled: 1, leased: 0 });
    t.clock.advance(1);
    assert.deepEqual(await t.takeTexts(queue), ['second']);
  },

  'G12 a message that is replaced may become ready, or scheduled': async (t) => {
    const queue = await t.createQueue('last-states');
    await sendLast(t, queue, 'delayed', { delay: 1_000 });
    await t.send(queue, 'other');
    await sendLast(t, queue, 'at once');
    assert.deepEqual(await t.states(queue), { ready: 2, scheduled: 0, leased: 0 });
    await sendLast(t, queue, 'delayed again', { deliverAt: t.clock.now() + 50 });
    assert.deepEqual(await t.states(queue), { ready: 1, scheduled: 1, leased: 0 });
    t.clock.advance(50);
    assert.deepEqual(await t.takeTexts(queue), ['delayed again', 'other'], 'its place is the old');
  },

  'G12 what was passed over by a take and is replaced comes first': async (t) => {
    const queue = await t.createQueue('last-passed');
    await sendLast(t, queue, 'delayed', { delay: 1_000 });
    await t.sendAll(queue, ['a', 'b', 'c']);
    assert.deepEqual(await t.takeTexts(queue, { max: 2 }), ['a', 'b']);
    await sendLast(t, queue, 'at once');
    assert.deepEqual(await t.takeTexts(queue), ['at once', 'c']);
  },

  'G9 G12 with keepLast the TTL is that of the last': async (t) => {
    const queue = await t.createQueue('last-ttl', { messageTtl: 1_000 });
    const first = (await sendLast(t, queue, 'first', { ttl: 10 })) as StoredOutcome;
    t.clock.advance(5);
    await sendLast(t, queue, 'second', { ttl: 20 });
    assert.equal((await t.get(first.id)).expiresAt, t.clock.now() + 20);
    t.clock.advance(19);
    assert.deepEqual(await t.sweep(), []);
    await sendLast(t, queue, 'third');
    assert.equal((await t.get(first.id)).expiresAt, t.clock.now() + 1_000);
    t.clock.advance(1_000);
    assert.equal((await sendLast(t, queue, 'expired, but not swept')).status, 'replaced');
    t.clock.advance(1_000);
    const [swept] = await t.sweep();
    assert.equal(textOf(swept!), 'expired, but not swept');
    assert.equal((await sendLast(t, queue, 'new')).status, 'stored', 'the sweeper holds it');
  },

  'G12 a message that was leased is replaced no more': async (t) => {
    const queue = await t.createQueue('last-leased');
    await sendLast(t, queue, 'first');
    const first = await t.takeOne(queue);
    const second = (await sendLast(t, queue, 'second')) as StoredOutcome;
    assert.equal(second.status, 'stored');
    await t.release(queue, first, { as: 'unstarted' });
    assert.deepEqual(await sendLast(t, queue, 'third'), { status: 'replaced', id: second.id });
    assert.deepEqual(await t.takeTexts(queue), ['first', 'third']);
  },

  'G12 what is gone is not replaced': async (t) => {
    const queue = await t.createQueue('last-gone');
    const dead = await t.createQueue('dead');
    const end: Record<string, () => Promise<unknown>> = {
      settle: async () => t.settle(queue, await t.takeOne(queue)),
      purge: () => t.driver.purge(queue),
      move: async () => {
        const receipt = receiptOf(queue, await t.takeOne(queue));
        await t.driver.move([{ receipt, targets: [dead, queue] }]);
        await t.driver.purge(queue);
      },
    };
    for (const [what, act] of Object.entries(end)) {
      assert.equal((await sendLast(t, queue, what)).status, 'stored', what);
      await act();
    }
    assert.equal((await sendLast(t, queue, 'new')).status, 'stored');
    assert.equal((await sendLast(t, dead, 'new')).status, 'stored', 'a moved one is none of these');
  },

  'G12 an evicted message is not replaced': async (t) => {
    const dead = await t.createQueue('dead');
    const limits = { maxSize: 1, overflow: 'drop-oldest' as const, evictTo: dead };
    const queue = await t.createQueue('last-evicted', limits);
    const first = (await sendLast(t, queue, 'first')) as StoredOutcome;
    await t.send(queue, 'other');
    const again = (await sendLast(t, queue, 'second')) as StoredOutcome;
    assert.equal(again.status, 'stored');
    assert.notEqual(again.id, first.id);
    assert.deepEqual(await t.takeTexts(dead), ['first', 'other']);
  },

  'G12 ids of keepLast and other deduplication ids do not meet': async (t) => {
    const queue = await t.createQueue('last-names', { deduplicationWindow: 1_000 });
    const plain = await t.send(queue, 'plain', { deduplicationId: 'd' });
    const last = (await sendLast(t, queue, 'last')) as StoredOutcome;
    assert.equal(last.status, 'stored');
    const again = await t.publish([queue], newMessage('again', { deduplicationId: 'd' }));
    assert.deepEqual(again, { status: 'duplicate', id: plain });
    assert.equal((await sendLast(t, queue, 'last again')).status, 'replaced');
    assert.equal((await sendLast(t, queue, 'e', { deduplicationId: 'e' })).status, 'stored');
    assert.deepEqual(await t.takeTexts(queue), ['plain', 'last again', 'e']);
  },

  'G8 G12 a full queue has room for a replacement that is no larger': async (t) => {
    const queue = await t.createQueue('last-full', { maxSize: 1, maxBytes: 10 });
    const { id } = (await sendLast(t, queue, 'four')) as StoredOutcome;
    assert.equal((await sendLast(t, queue, 'ten bytes.')).status, 'replaced');
    const full = { status: 'full', queue: 'last-full', limit: 'maxBytes' };
    assert.deepEqual(await sendLast(t, queue, 'more than that'), full);
    assert.equal(textOf(await t.get(id)), 'ten bytes.');
    assert.equal((await sendLast(t, queue, 'a')).status, 'replaced');
    const narrow = { ...queue, maxSize: 0, maxBytes: 0 };
    assert.equal((await sendLast(t, narrow, 'b')).status, 'replaced', 'it adds nothing');
    assert.equal((await t.driver.counts(queue)).bytes, 1);
  },

  'G8 G12 drop-oldest makes room for what a replacement adds, not by dropping it': async (t) => {
    const limits = { maxBytes: 10, overflow: 'drop-oldest' } as const;
    const queue = await t.createQueue('last-drop', limits);
    const { id } = (await sendLast(t, queue, '22')) as StoredOutcome;
    const [other, another] = await t.sendAll(queue, ['333', '4444']);
    const outcome = await sendLast(t, queue, '55555');
    const evicted = [{ id: other, queue: 'last-drop', movedTo: null }];
    assert.deepEqual(outcome, { status: 'replaced', id, evicted });
    assert.equal((await t.get(another!)).body, '4444');
    await t.take(queue, { ids: [another!] });
    const full = await sendLast(t, queue, '7777777');
    assert.deepEqual(full, { status: 'full', queue: 'last-drop', limit: 'maxBytes' });
    assert.deepEqual(await t.takeTexts(queue), ['55555']);
  },

  'G12 with keepLast each queue of a fan-out has its own': async (t) => {
    const one = await t.createQueue('one');
    const two = await t.createQueue('two');
    const { id } = (await sendLast(t, one, 'a')) as StoredOutcome;
    const partly = (await t.publish([one, two], newMessage('b', LAST))) as StoredOutcome;
    assert.equal(partly.status, 'stored');
    assert.deepEqual([partly.id, partly.ids?.[0]], [id, id]);
    const wholly = await t.publish([one, two], newMessage('c', LAST));
    assert.deepEqual(wholly, { status: 'replaced', id, ids: partly.ids });
    assert.deepEqual(await t.takeTexts(one), ['c']);
    assert.deepEqual(await t.takeTexts(two), ['c']);
  },

  'G12 within one batch the last takes the place of the first': async (t) => {
    const queue = await t.createQueue('last-batch');
    const items = ['first', 'second', 'third'].map((text) => ({
      targets: [queue],
      message: newMessage(text, LAST),
    }));
    const outcomes = (await t.driver.publish(items)) as StoredOutcome[];
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['stored', 'replaced', 'replaced'],
    );
    assert.equal(new Set(outcomes.map(({ id }) => id)).size, 1);
    assert.deepEqual(await t.takeTexts(queue), ['third']);
  },

  'G12 G13 an atomic batch that is refused replaces nothing': {
    needs: 'atomicBatch',
    body: async (t) => {
      const queue = await t.createQueue('last-atomic');
      const full = await t.createQueue('full', { maxSize: 0 });
      const { id } = (await sendLast(t, queue, 'first', { ttl: 500 })) as StoredOutcome;
      const before = await t.get(id);
      const items = [
        { targets: [queue], message: newMessage('second', { ...LAST, delay: 10 }) },
        { targets: [full], message: newMessage('refused') },
      ];
      const outcomes = await t.driver.publish(items, { atomic: true });
      assert.deepEqual(new Set(outcomes.map(({ status }) => status)), new Set(['full']));
      assert.deepEqual(await t.get(id), before);
      assert.equal((await sendLast(t, queue, 'third')).status, 'replaced');
    },
  },

  'G12 G13 a fan-out that is refused replaces nothing': {
    needs: 'atomicFanOut',
    body: async (t) => {
      const queue = await t.createQueue('last-fan-out');
      const full = await t.createQueue('full', { maxSize: 0 });
      const { id } = (await sendLast(t, queue, 'first')) as StoredOutcome;
      const before = await t.get(id);
      const refused = await t.publish([queue, full], newMessage('second', LAST));
      assert.equal(refused.status, 'full');
      assert.deepEqual(await t.get(id), before);
      assert.deepEqual(await t.takeTexts(queue), ['first']);
    },
  },

  'G12 an id given before is a duplicate before it could replace': async (t) => {
    const queue = await t.createQueue('last-id');
    const { id } = (await sendLast(t, queue, 'first')) as StoredOutcome;
    assert.deepEqual(await sendLast(t, queue, 'again', { id }), { status: 'duplicate', id });
    assert.deepEqual(await t.takeTexts(queue), ['first']);
  },

  'G12 a queue that is made again replaces nothing of the one before': async (t) => {
    const first = await t.createQueue('again');
    await sendLast(t, first, 'a');
    await t.deleteQueue(first);
    const second = await t.createQueue('again');
    assert.equal((await sendLast(t, second, 'b')).status, 'stored');
  },

  'G12 ids of keepLast may hold anything': async (t) => {
    const queue = await t.createQueue('last-ids');
    const ids = ['a', 'A', 'a b', 'a/b:c', 'ü', '🚣', 'x'.repeat(255), '__proto__'];
    for (const deduplicationId of ids) await t.send(queue, 'first', { ...LAST, deduplicationId });
    for (const deduplicationId of ids) {
      const outcome = await sendLast(t, queue, deduplicationId, { deduplicationId });
      assert.equal(outcome.status, 'replaced', JSON.stringify(deduplicationId));
    }
    assert.deepEqual(await t.takeTexts(queue), ids);
  },

  'G12 of keepLast messages sent at the same time one is stored': async (t) => {
    const queue = await t.createQueue('last-many');
    const texts = Array.from({ length: 20 }, (_, i) => `m${i}`);
    const outcomes = await Promise.all(texts.map((text) => sendLast(t, queue, text)));
    const stored = outcomes.filter(({ status }) => status === 'stored');
    assert.equal(stored.length, 1);
    assert.equal((await t.take(queue)).length, 1);
  },
};
