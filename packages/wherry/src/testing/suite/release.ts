import assert from 'node:assert/strict';
import { NEVER } from '../../core/driver.ts';
import type { AspectTests } from './aspect.ts';
import { LEASE_MS, receiptOf, textsOf } from './fixture.ts';

export const releaseTests: AspectTests = {
  'G5 a message released without delay goes back to its old place': async (t) => {
    const queue = await t.createQueue('old-place');
    await t.sendAll(queue, ['a', 'b', 'c', 'd']);
    const [a, b, c] = await t.take(queue, { max: 3 });
    await t.release(queue, c!);
    await t.release(queue, a!);
    await t.send(queue, 'e');
    assert.deepEqual(await t.takeTexts(queue), ['a', 'c', 'd', 'e']);
    await t.settle(queue, b!);
  },

  'G5 a released message keeps its priority': async (t) => {
    const queue = await t.createQueue('old-priority');
    await t.send(queue, 'low');
    await t.send(queue, 'high', { priority: 9 });
    const high = await t.takeOne(queue);
    await t.send(queue, 'higher', { priority: 10 });
    await t.release(queue, high);
    assert.deepEqual(await t.takeTexts(queue), ['higher', 'high', 'low']);
  },

  'G6 a retry counts as a delivery and as a retry': async (t) => {
    const queue = await t.createQueue('retry');
    const id = await t.send(queue, 'a');
    for (let delivery = 1; delivery <= 3; delivery += 1) {
      const leased = await t.takeOne(queue);
      assert.equal(leased.deliveryCount, delivery);
      assert.equal(leased.retryCount, delivery - 1);
      await t.release(queue, leased, { as: 'retry' });
      const { deliveryCount, retryCount } = await t.get(id);
      assert.deepEqual(
        { deliveryCount, retryCount },
        { deliveryCount: delivery, retryCount: delivery },
      );
    }
  },

  'G6 a requeue counts as a delivery only': async (t) => {
    const queue = await t.createQueue('requeue');
    const id = await t.send(queue, 'a');
    await t.release(queue, await t.takeOne(queue), { as: 'requeue' });
    const { deliveryCount, retryCount } = await t.get(id);
    assert.deepEqual({ deliveryCount, retryCount }, { deliveryCount: 1, retryCount: 0 });
    assert.equal((await t.takeOne(queue)).deliveryCount, 2);
  },

  'G15 what was not begun goes back without counting': async (t) => {
    const queue = await t.createQueue('unstarted');
    const id = await t.send(queue, 'a');
    await t.release(queue, await t.takeOne(queue), { as: 'unstarted' });
    const { deliveryCount, retryCount, lease, state } = await t.get(id);
    assert.deepEqual({ deliveryCount, retryCount }, { deliveryCount: 0, retryCount: 0 });
    assert.deepEqual({ lease, state }, { lease: null, state: 'ready' });
    assert.equal((await t.takeOne(queue)).deliveryCount, 1);
  },

  'a back-off holds a message back until its time': async (t) => {
    const queue = await t.createQueue('back-off');
    const id = await t.send(queue, 'a');
    await t.send(queue, 'b');
    const leased = await t.takeOne(queue);
    t.clock.advance(10);
    await t.release(queue, leased, { delay: 500 });
    assert.deepEqual(await t.states(queue), { ready: 1, scheduled: 1, leased: 0 });
    const { availableAt, state } = await t.get(id);
    assert.deepEqual(
      { availableAt, state },
      { availableAt: t.clock.now() + 500, state: 'scheduled' },
    );
    t.clock.advance(499);
    assert.deepEqual(await t.takeTexts(queue), ['b']);
    t.clock.advance(1);
    assert.deepEqual(await t.takeTexts(queue), ['a']);
  },

  'an endless delay ends by ids or purge only': async (t) => {
    const queue = await t.createQueue('never');
    const [one, two] = await t.sendAll(queue, ['one', 'two']);
    for (const leased of await t.take(queue)) await t.release(queue, leased, { delay: Infinity });
    assert.equal((await t.get(one!)).availableAt, NEVER);
    assert.equal((await t.driver.sweep(10)).nextIn, null);
    t.clock.advance(50 * 365 * 86_400_000);
    assert.deepEqual(await t.sweep(), []);
    assert.deepEqual(await t.take(queue), []);
    assert.deepEqual(await t.states(queue), { ready: 0, scheduled: 2, leased: 0 });
    assert.equal((await t.browse(queue, 'scheduled')).length, 2);
    assert.deepEqual(await t.takeTexts(queue, { ids: [two!] }), ['two']);
    assert.equal(await t.driver.purge(queue), 1);
    assert.equal(await t.driver.get(one!), null);
  },

  'G8 a release is never refused for want of room': async (t) => {
    const queue = await t.createQueue('full', { maxSize: 2, maxBytes: 2 });
    await t.sendAll(queue, ['a', 'b']);
    const [a, b] = await t.take(queue);
    const shrunk = { ...queue, maxSize: 1, maxBytes: 1 };
    await t.release(shrunk, a!);
    await t.release(shrunk, b!, { delay: 5 });
    assert.deepEqual(await t.states(queue), { ready: 1, scheduled: 1, leased: 0 });
  },

  'G9 a retry does not begin the TTL again': async (t) => {
    const queue = await t.createQueue('ttl-retry', { messageTtl: 100 });
    const id = await t.send(queue, 'a');
    const { expiresAt } = await t.get(id);
    t.clock.advance(60);
    await t.release(queue, await t.takeOne(queue), { delay: 10 });
    assert.equal((await t.get(id)).expiresAt, expiresAt);
    t.clock.advance(40);
    assert.deepEqual(await t.take(queue), []);
    assert.deepEqual(
      (await t.sweep()).map(({ cause }) => cause),
      ['expired'],
    );
  },

  'G9 a message does not expire while it is leased, but when it comes back late': async (t) => {
    const queue = await t.createQueue('ttl-leased');
    await t.send(queue, 'a', { ttl: 100 });
    const leased = await t.takeOne(queue);
    t.clock.advance(100);
    assert.deepEqual(await t.sweep(), []);
    await t.release(queue, leased);
    assert.deepEqual(await t.take(queue), []);
    assert.deepEqual(textsOf(await t.sweep()), ['a']);
  },

  'a parked mark stays until it is lifted': async (t) => {
    const queue = await t.createQueue('parked');
    const id = await t.send(queue, 'a');
    const parked = { queue: 'parked', reason: 'max-retries', error: 'no' } as const;
    await t.release(queue, await t.takeOne(queue), { as: 'unstarted', delay: Infinity, parked });
    assert.deepEqual((await t.get(id)).parked, parked);
    const leased = await t.takeOne(queue, { ids: [id] });
    assert.deepEqual(leased.parked, parked);
    await t.release(queue, leased, { as: 'unstarted' });
    assert.deepEqual((await t.get(id)).parked, parked);
    const again = await t.takeOne(queue, { ids: [id] });
    await t.release(queue, again, { as: 'unstarted', parked: null });
    assert.equal((await t.get(id)).parked, null);
    assert.equal((await t.takeOne(queue)).parked, null);
  },

  'G9 a parked message is dead already: its TTL does nothing': async (t) => {
    const queue = await t.createQueue('parked-ttl');
    const id = await t.send(queue, 'a', { ttl: 100 });
    const parked = { queue: 'parked-ttl', reason: 'rejected' } as const;
    await t.release(queue, await t.takeOne(queue), { as: 'unstarted', delay: Infinity, parked });
    t.clock.advance(100);
    const { messages, nextIn } = await t.driver.sweep(100);
    assert.deepEqual(messages, []);
    assert.equal(nextIn, null);
    const leased = await t.takeOne(queue, { ids: [id] });
    await t.release(queue, leased, { as: 'unstarted', parked: null });
    assert.deepEqual(textsOf(await t.sweep()), ['a']);
  },

  'G13 a release names the lost by index, the others go back': async (t) => {
    const queue = await t.createQueue('batch');
    await t.sendAll(queue, ['a', 'b', 'c']);
    const [a, b, c] = (await t.take(queue)).map((leased) => receiptOf(queue, leased));
    const receipts = [a!, { ...b!, token: -5 }, a!, c!];
    const items = receipts.map((receipt) => ({ receipt, delay: 0, as: 'retry' as const }));
    assert.deepEqual(await t.driver.release(items), [1, 2]);
    assert.deepEqual(await t.takeTexts(queue), ['a', 'c']);
    t.clock.advance(LEASE_MS);
    assert.equal((await t.sweep()).length, 3);
  },
};
