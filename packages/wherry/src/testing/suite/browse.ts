import assert from 'node:assert/strict';
import type { MessageState } from '../../core/message.ts';
import type { AspectTests } from './aspect.ts';
import { newMessage, receiptOf, textsOf } from './fixture.ts';

export const browseTests: AspectTests = {
  'ready messages are shown in the order of taking': async (t) => {
    const queue = await t.createQueue('ready');
    const priorities = [0, 9, 0, 255, 9];
    for (const [index, priority] of priorities.entries()) {
      await t.send(queue, `${priority}/${index}`, { priority });
    }
    const expected = ['255/3', '9/1', '9/4', '0/0', '0/2'];
    assert.deepEqual(textsOf(await t.browse(queue, 'ready')), expected);
    assert.deepEqual(await t.takeTexts(queue), expected, 'and were not taken');
  },

  'scheduled messages are shown in the order of their time': async (t) => {
    const queue = await t.createQueue('scheduled');
    await t.send(queue, 'never');
    await t.release(queue, await t.takeOne(queue), { delay: Infinity });
    await t.send(queue, 'third', { delay: 300 });
    await t.send(queue, 'first', { delay: 100 });
    await t.send(queue, 'second', { delay: 100, priority: 7 });
    const expected = ['first', 'second', 'third', 'never'];
    assert.deepEqual(textsOf(await t.browse(queue, 'scheduled')), expected);
  },

  'leased messages are shown in the order of sending, with their leases': async (t) => {
    const queue = await t.createQueue('leased');
    await t.send(queue, 'low');
    await t.send(queue, 'high', { priority: 7 });
    const [high] = await t.take(queue, { max: 1, consumerId: 'one' });
    const [low] = await t.take(queue, { max: 1, consumerId: 'two' });
    assert.deepEqual(await t.browse(queue, 'leased'), [low, high]);
  },

  'pages of any size show everything once': async (t) => {
    const queue = await t.createQueue('pages');
    const texts = Array.from({ length: 7 }, (_, index) => String(index));
    await t.sendAll(queue, texts, { priority: 3 });
    await t.sendAll(queue, texts, { groupId: 'g' });
    await t.sendAll(queue, texts, { delay: 10 });
    const [first] = await t.sendAll(queue, ['never', 'leased'], { priority: 9 });
    for (const leased of await t.take(queue, { max: 2 })) {
      if (leased.id === first) await t.release(queue, leased, { delay: Infinity });
    }
    for (const state of ['ready', 'scheduled', 'leased'] satisfies MessageState[]) {
      const whole = await t.browse(queue, state);
      for (const limit of [1, 2, 7, 14]) {
        assert.deepEqual(await t.browse(queue, state, limit), whole, `${state}, ${limit} a page`);
      }
    }
  },

  'a cursor stands where it stood though messages come and go': async (t) => {
    const queue = await t.createQueue('moving');
    await t.sendAll(queue, ['a', 'b', 'c', 'd']);
    const page = await t.driver.browse({ queue, state: 'ready', limit: 2 });
    assert.ok(page.cursor !== null);
    await t.take(queue, { max: 3 });
    await t.send(queue, 'e');
    const { cursor } = page;
    const next = await t.driver.browse({ queue, state: 'ready', cursor, limit: 9 });
    assert.deepEqual(textsOf(next.messages), ['d', 'e']);
    assert.equal(next.cursor, null);
  },

  'G10 what ever came to a queue is counted, however it went': async (t) => {
    const queue = await t.createQueue('arrivals', { maxSize: 3 });
    const other = await t.createQueue('other');
    const arrived = async (of = queue) => (await t.driver.counts(of)).arrived;
    assert.equal(await arrived(), 0);
    await t.send(queue, 'a', { deduplicationId: 'd', deduplicationWindow: 1_000 });
    const again = newMessage('again', { deduplicationId: 'd', deduplicationWindow: 1_000 });
    assert.equal((await t.publish([queue], again)).status, 'duplicate');
    await t.send(queue, 'b', { delay: 10 });
    await t.send(queue, 'c', { groupId: 'g' });
    assert.equal((await t.publish([queue], newMessage('d'))).status, 'full');
    assert.equal(await arrived(), 3, 'neither what was sent twice nor what found no room');
    const a = await t.takeOne(queue);
    await t.release(queue, a);
    assert.equal(await arrived(), 3, 'what comes back has come before');
    const receipt = receiptOf(queue, await t.takeOne(queue));
    await t.driver.move([{ receipt, targets: [other] }]);
    assert.deepEqual([await arrived(), await arrived(other)], [3, 1]);
    await t.driver.purge(queue);
    assert.equal(await arrived(), 3, 'what is gone did come');
  },

  'G10 the oldest ready message gives its age': async (t) => {
    const queue = await t.createQueue('age');
    const oldest = async () => (await t.driver.counts(queue)).oldestTimestamp;
    assert.equal(await oldest(), null);
    const start = t.clock.now();
    await t.send(queue, 'delayed', { delay: 10_000 });
    t.clock.advance(5);
    await t.send(queue, 'a', { groupId: 'g' });
    t.clock.advance(5);
    await t.send(queue, 'b', { priority: 9, groupId: 'g' });
    assert.equal(await oldest(), start + 5);
    const a = await t.takeOne(queue);
    assert.equal(await oldest(), start + 10, 'the one behind it in its group is ready, too');
    await t.release(queue, a);
    assert.equal(await oldest(), start + 5);
    await t.driver.purge(queue);
    assert.equal(await oldest(), null);
  },

  'a purge takes what is ready and scheduled, and leaves what is leased': async (t) => {
    const queue = await t.createQueue('purge');
    const other = await t.createQueue('other');
    await t.send(other, 'other');
    await t.sendAll(queue, ['leased', 'backing off', 'a', 'b'], { ttl: 60_000 });
    await t.send(queue, 'delayed', { delay: 1_000 });
    const [leased, failed] = await t.take(queue, { max: 2 });
    await t.release(queue, failed!, { delay: 1_000 });
    assert.equal(await t.driver.purge(queue), 4);
    assert.deepEqual(await t.states(queue), { ready: 0, scheduled: 0, leased: 1 });
    assert.equal((await t.driver.counts(queue)).bytes, leased!.bytes);
    await t.release(queue, leased!);
    assert.deepEqual(await t.takeTexts(queue), ['leased']);
    assert.deepEqual(await t.takeTexts(other), ['other']);
  },
};
