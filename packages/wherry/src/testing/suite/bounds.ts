import assert from 'node:assert/strict';
import type { AspectTests } from './aspect.ts';
import { newMessage, receiptOf, type StoredOutcome } from './fixture.ts';

export const boundTests: AspectTests = {
  'G8 no more than maxSize are stored, in whatever state': async (t) => {
    const queue = await t.createQueue('max-size', { maxSize: 3 });
    await t.send(queue, 'leased');
    const leased = await t.takeOne(queue);
    await t.send(queue, 'scheduled', { delay: 1_000 });
    await t.send(queue, 'ready');
    const full = { status: 'full', queue: 'max-size', limit: 'maxSize' };
    assert.deepEqual(await t.publish([queue], newMessage('refused')), full);
    await t.settle(queue, leased);
    await t.send(queue, 'fits');
    assert.deepEqual(await t.publish([queue], newMessage('refused')), full);
  },

  'G8 no more than maxBytes are stored, to the byte': async (t) => {
    const queue = await t.createQueue('max-bytes', { maxBytes: 100 });
    await t.send(queue, 'a', { bytes: 60 });
    const full = { status: 'full', queue: 'max-bytes', limit: 'maxBytes' };
    assert.deepEqual(await t.publish([queue], newMessage('b', { bytes: 41 })), full);
    await t.send(queue, 'c', { bytes: 40 });
    assert.deepEqual(await t.publish([queue], newMessage('d', { bytes: 1 })), full);
    assert.equal((await t.driver.counts(queue)).bytes, 100);
  },

  'G8 the bound holds within one batch': async (t) => {
    const queue = await t.createQueue('batch', { maxSize: 2 });
    const items = ['a', 'b', 'c'].map((text) => ({ targets: [queue], message: newMessage(text) }));
    const outcomes = await t.driver.publish(items);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['stored', 'stored', 'full'],
    );
  },

  'G8 a bound that shrank drops nothing, and rules new sends': async (t) => {
    const queue = await t.createQueue('shrunk');
    await t.sendAll(queue, ['a', 'b', 'c']);
    const outcome = await t.publish([{ ...queue, maxSize: 2 }], newMessage('refused'));
    assert.equal(outcome.status, 'full');
    assert.equal((await t.states(queue)).ready, 3);
  },

  'G8 drop-oldest drops the oldest ready one, whatever its priority': async (t) => {
    const queue = await t.createQueue('drop', { maxSize: 3, overflow: 'drop-oldest' });
    const oldest = await t.send(queue, 'oldest', { priority: 9 });
    await t.send(queue, 'scheduled', { delay: 50 });
    await t.send(queue, 'ready');
    const outcome = (await t.publish([queue], newMessage('new'))) as StoredOutcome;
    assert.equal(outcome.status, 'stored');
    assert.deepEqual(outcome.evicted, [{ id: oldest, queue: 'drop', movedTo: null }]);
    assert.equal(await t.driver.get(oldest), null);
    t.clock.advance(50);
    assert.deepEqual(await t.takeTexts(queue), ['scheduled', 'ready', 'new']);
  },

  'G8 drop-oldest drops an older one before one of higher priority': async (t) => {
    const queue = await t.createQueue('drop-older', { maxSize: 2, overflow: 'drop-oldest' });
    await t.send(queue, 'older');
    await t.send(queue, 'higher', { priority: 9 });
    await t.send(queue, 'new');
    assert.deepEqual(await t.takeTexts(queue), ['higher', 'new']);
  },

  'G8 drop-oldest never drops a leased one': async (t) => {
    const queue = await t.createQueue('drop-leased', { maxSize: 2, overflow: 'drop-oldest' });
    await t.sendAll(queue, ['a', 'b']);
    const [a] = await t.take(queue, { max: 1 });
    await t.send(queue, 'c');
    assert.deepEqual(await t.takeTexts(queue), ['c']);
    const outcome = await t.publish([queue], newMessage('d'));
    assert.deepEqual(outcome, { status: 'full', queue: 'drop-leased', limit: 'maxSize' });
    await t.settle(queue, a!);
  },

  'G8 with none ready drop-oldest drops the scheduled one that is due first': async (t) => {
    const queue = await t.createQueue('drop-due', { maxSize: 3, overflow: 'drop-oldest' });
    await t.send(queue, 'last', { delay: 300 });
    const first = await t.send(queue, 'first', { delay: 100 });
    await t.send(queue, 'second', { delay: 200 });
    const outcome = (await t.publish([queue], newMessage('new'))) as StoredOutcome;
    assert.deepEqual(
      outcome.evicted?.map(({ id }) => id),
      [first],
    );
  },

  'G8 drop-oldest makes as much room as the message needs': async (t) => {
    const queue = await t.createQueue('drop-bytes', { maxBytes: 100, overflow: 'drop-oldest' });
    const ids = await t.sendAll(queue, ['a', 'b', 'c', 'd'], { bytes: 25 });
    const message = newMessage('big', { bytes: 60 });
    const outcome = (await t.publish([queue], message)) as StoredOutcome;
    assert.deepEqual(
      outcome.evicted?.map(({ id }) => id),
      ids.slice(0, 3),
    );
    assert.deepEqual(await t.takeTexts(queue), ['d', 'big']);
  },

  'G8 G13 an atomic batch to several queues may drop what it has stored itself': {
    needs: 'atomicDrops',
    body: async (t) => {
      const other = await t.createQueue('other');
      const queue = await t.createQueue('drop-own', { maxSize: 1, overflow: 'drop-oldest' });
      const items = [queue, other, queue].map((target, i) => ({
        targets: [target],
        message: newMessage(`item ${i}`),
      }));
      const outcomes = (await t.driver.publish(items, { atomic: true })) as StoredOutcome[];
      assert.deepEqual(
        outcomes[2]?.evicted?.map(({ id }) => id),
        [outcomes[0]?.id],
      );
      assert.deepEqual(await t.takeTexts(queue), ['item 2']);
    },
  },

  'G8 a message that can never fit drops nothing': async (t) => {
    const queue = await t.createQueue('too-big', { maxBytes: 100, overflow: 'drop-oldest' });
    await t.sendAll(queue, ['a', 'b'], { bytes: 50 });
    const outcome = await t.publish([queue], newMessage('huge', { bytes: 101 }));
    assert.deepEqual(outcome, { status: 'full', queue: 'too-big', limit: 'maxBytes' });
    assert.deepEqual(await t.takeTexts(queue), ['a', 'b']);
  },

  'G8 a queue that refuses drops nothing to its dead letters': async (t) => {
    const dead = await t.createQueue('unconcerned');
    const queue = await t.createQueue('refusing', { maxSize: 1, evictTo: dead });
    await t.send(queue, 'kept');
    const outcome = await t.publish([queue], newMessage('new'));
    assert.deepEqual(outcome, { status: 'full', queue: 'refusing', limit: 'maxSize' });
    assert.deepEqual(await t.takeTexts(queue), ['kept']);
    assert.deepEqual(await t.takeTexts(dead), []);
  },

  'G8 what is dropped goes to the dead letters, where there are some': async (t) => {
    const dead = await t.createQueue('dead', { messageTtl: 500 });
    const limits = { maxSize: 1, overflow: 'drop-oldest', evictTo: dead } as const;
    const queue = await t.createQueue('source', limits);
    const id = await t.send(queue, 'old', { ttl: 100 });
    const outcome = (await t.publish([queue], newMessage('new'))) as StoredOutcome;
    assert.deepEqual(outcome.evicted, [{ id, queue: 'source', movedTo: 'dead' }]);
    const moved = await t.get(id);
    const now = t.clock.now();
    assert.equal(moved.queueName, 'dead');
    assert.equal(moved.expiresAt, now + 500);
    const death = { queue: 'source', reason: 'overflow', time: now, count: 1 };
    assert.deepEqual(moved.deaths, [death]);
    assert.deepEqual(await t.takeTexts(queue), ['new']);
  },

  'G2 G8 nothing is dropped when the dead letters have no room for it': async (t) => {
    const dead = await t.createQueue('dead', { maxSize: 1 });
    const limits = { maxSize: 2, overflow: 'drop-oldest', evictTo: dead } as const;
    const queue = await t.createQueue('source', limits);
    await t.sendAll(queue, ['a', 'b', 'c']);
    const outcome = await t.publish([queue], newMessage('d'));
    assert.deepEqual(outcome, { status: 'full', queue: 'source', limit: 'maxSize' });
    assert.deepEqual(await t.takeTexts(queue), ['b', 'c']);
    assert.deepEqual(await t.takeTexts(dead), ['a']);
  },

  "G8 G11 dropping a group's head lets the group go on": async (t) => {
    const queue = await t.createQueue('drop-group', { maxSize: 2, overflow: 'drop-oldest' });
    await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g' });
    const g2 = await t.takeOne(queue);
    assert.equal(g2.body, 'g2');
    await t.send(queue, 'g4', { groupId: 'g' });
    assert.deepEqual(await t.states(queue), { ready: 1, scheduled: 0, leased: 1 });
    await t.settle(queue, g2);
    assert.deepEqual(await t.takeTexts(queue), ['g4']);
  },

  'G8 where a bound counts what waits, what is leased takes no room': async (t) => {
    const queue = await t.createQueue('waiting', { maxSize: 2, boundOn: 'waiting' });
    const full = { status: 'full', queue: 'waiting', limit: 'maxSize' };
    await t.sendAll(queue, ['a', 'b']);
    assert.deepEqual(await t.publish([queue], newMessage('too much')), full);
    const [a, b] = await t.take(queue);
    await t.send(queue, 'c');
    await t.send(queue, 'd', { delay: 50 });
    assert.deepEqual(await t.publish([queue], newMessage('too much')), full);
    await t.settle(queue, b!);
    assert.deepEqual(await t.publish([queue], newMessage('too much')), full);
    await t.release(queue, a!, { as: 'requeue' });
    assert.deepEqual(await t.states(queue), { ready: 2, scheduled: 1, leased: 0 }, 'never refused');
    await t.takeOne(queue);
    assert.deepEqual(await t.publish([queue], newMessage('too much')), full);
    await t.takeOne(queue);
    await t.send(queue, 'e');
  },

  'G8 where a bound counts the bytes that wait, what is leased takes no room': async (t) => {
    const queue = await t.createQueue('waiting', { maxBytes: 10, boundOn: 'waiting' });
    const full = { status: 'full', queue: 'waiting', limit: 'maxBytes' };
    await t.send(queue, 'a', { bytes: 6 });
    await t.send(queue, 'b', { bytes: 4, priority: 1 });
    assert.deepEqual(await t.publish([queue], newMessage('c')), full);
    const b = await t.takeOne(queue);
    assert.equal(b.body, 'b');
    await t.send(queue, 'c', { bytes: 3 });
    assert.deepEqual(await t.publish([queue], newMessage('d', { bytes: 2 })), full);
    await t.send(queue, 'd', { bytes: 1 });
    assert.equal((await t.take(queue)).length, 3);
    assert.deepEqual(await t.publish([queue], newMessage('e', { bytes: 11 })), full);
    await t.settle(queue, b);
    await t.send(queue, 'e', { bytes: 10 });
  },

  'G8 where a bound counts what waits, as much is dropped as waits too much': async (t) => {
    const dead = await t.createQueue('dead');
    const limits = { maxSize: 2, overflow: 'drop-oldest', boundOn: 'waiting' } as const;
    const queue = await t.createQueue('dropping', { ...limits, evictTo: dead });
    await t.sendAll(queue, ['a', 'b']);
    const held = await t.takeOne(queue);
    const outcome = (await t.publish([queue], newMessage('c'))) as StoredOutcome;
    assert.deepEqual([outcome.status, outcome.evicted], ['stored', undefined]);
    await t.release(queue, held);
    await t.send(queue, 'd');
    assert.deepEqual(await t.takeTexts(dead), ['a', 'b']);
    assert.deepEqual(await t.takeTexts(queue), ['c', 'd']);
  },

  'G8 where the dead letters count what waits, what is leased there takes no room': async (t) => {
    const dead = await t.createQueue('dead', { maxSize: 1, boundOn: 'waiting' });
    const limits = { maxSize: 1, overflow: 'drop-oldest', evictTo: dead } as const;
    const queue = await t.createQueue('dropping', limits);
    await t.sendAll(queue, ['a', 'b']);
    const full = { status: 'full', queue: 'dropping', limit: 'maxSize' };
    assert.deepEqual(await t.publish([queue], newMessage('c')), full);
    assert.deepEqual(await t.takeTexts(dead), ['a']);
    await t.send(queue, 'c');
    assert.deepEqual(await t.takeTexts(dead), ['b']);
  },

  'G8 where a bound counts what waits, a move to a full queue changes nothing': async (t) => {
    const source = await t.createQueue('source');
    const full = await t.createQueue('full', { maxSize: 1, boundOn: 'waiting' });
    await t.sendAll(source, ['a', 'b', 'c']);
    const receipts = (await t.take(source)).map((leased) => receiptOf(source, leased));
    const move = async (index: number): Promise<string> => {
      const [outcome] = await t.driver.move([{ receipt: receipts[index]!, targets: [full] }]);
      return outcome!.status;
    };
    assert.equal(await move(0), 'moved');
    assert.equal(await move(1), 'full');
    const held = receiptOf(full, await t.takeOne(full));
    assert.equal(await move(1), 'moved');
    const [back] = await t.driver.move([{ receipt: held, targets: [full] }]);
    assert.deepEqual(back, { status: 'full', queue: 'full' }, 'its own place was none');
    assert.deepEqual(await t.states(full), { ready: 1, scheduled: 0, leased: 1 });
    const left = await t.driver.settle([receipts[2]!, held]);
    assert.deepEqual(left, []);
  },

  'a refused fan-out drops nothing': {
    needs: 'atomicFanOut',
    body: async (t) => {
      const dropping = await t.createQueue('dropping', { maxSize: 2, overflow: 'drop-oldest' });
      const full = await t.createQueue('full', { maxSize: 0 });
      await t.sendAll(dropping, ['g1', 'g2'], { groupId: 'g' });
      const outcome = await t.publish([dropping, full], newMessage('m'));
      assert.deepEqual(outcome, { status: 'full', queue: 'full', limit: 'maxSize' });
      assert.deepEqual(await t.takeTexts(dropping, { perGroup: 2 }), ['g1', 'g2']);
    },
  },
};
