import assert from 'node:assert/strict';
import type { AspectTests } from './aspect.ts';
import { LEASE_MS, textOf, textsOf } from './fixture.ts';

export const inFlightTests: AspectTests = {
  'limits: no more than maxInFlight are leased, whoever takes': async (t) => {
    const queue = await t.createQueue('in-flight', { maxInFlight: 3 });
    await t.sendAll(queue, ['a', 'b', 'c', 'd', 'e', 'f']);
    const [a, b, c] = await t.take(queue, { max: 2 });
    assert.equal(c, undefined);
    assert.deepEqual(await t.takeTexts(queue, { consumerId: 'other' }), ['c']);
    assert.deepEqual(await t.take(queue), []);
    assert.deepEqual(await t.states(queue), { ready: 3, scheduled: 0, leased: 3 });
    await t.settle(queue, a!);
    assert.deepEqual(await t.takeTexts(queue), ['d']);
    await t.release(queue, b!, { as: 'unstarted' });
    assert.deepEqual(await t.takeTexts(queue), ['b']);
  },

  'limits: what maxInFlight holds back is not to be tried again by the clock': async (t) => {
    const rate = { max: 5, per: 1_000 };
    const queue = await t.createQueue('in-flight', { maxInFlight: 1, rateLimit: rate });
    await t.sendAll(queue, ['a', 'b']);
    for (const expected of [['a'], []]) {
      const { messages, retryIn } = await t.takeResult(queue);
      assert.deepEqual(textsOf(messages), expected);
      assert.equal(retryIn, null);
    }
  },

  'limits: leases by id count towards maxInFlight, and do not heed it': async (t) => {
    const queue = await t.createQueue('in-flight-ids', { maxInFlight: 2 });
    const ids = await t.sendAll(queue, ['a', 'b', 'c', 'd']);
    const leased = await t.take(queue, { ids: ids.slice(0, 3) });
    assert.equal(leased.length, 3);
    assert.deepEqual(await t.take(queue), []);
    for (const one of leased.slice(0, 2)) await t.settle(queue, one);
    assert.deepEqual(await t.takeTexts(queue), ['d']);
  },

  'limits: a lease counts towards maxInFlight until somebody decides': async (t) => {
    const queue = await t.createQueue('in-flight-sweep', { maxInFlight: 1 });
    await t.sendAll(queue, ['a', 'b']);
    await t.takeOne(queue);
    t.clock.advance(LEASE_MS);
    assert.deepEqual(await t.take(queue), []);
    const [swept] = await t.sweep();
    assert.deepEqual(await t.take(queue), []);
    await t.release(queue, swept!, { delay: 1_000 });
    assert.deepEqual(await t.takeTexts(queue), ['b']);
  },

  'limits: maxInFlight may change at any time': async (t) => {
    const queue = await t.createQueue('in-flight-change', { maxInFlight: 1 });
    await t.sendAll(queue, ['a', 'b', 'c', 'd']);
    const a = await t.takeOne(queue);
    const wide = { ...queue, maxInFlight: 3 };
    const [b, c] = await t.take(wide);
    assert.deepEqual(textsOf([b!, c!]), ['b', 'c']);
    await t.settle(queue, a);
    assert.deepEqual(await t.take(queue), [], 'two are leased, one may be');
    await t.settle(queue, b!);
    assert.deepEqual(await t.take(queue), []);
    await t.settle(queue, c!);
    assert.deepEqual(await t.takeTexts(queue), ['d']);
  },

  'limits: a batch of one group heeds maxInFlight': async (t) => {
    const queue = await t.createQueue('in-flight-group', { maxInFlight: 2 });
    await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g' });
    assert.deepEqual(await t.takeTexts(queue, { perGroup: 9 }), ['g1', 'g2']);
  },

  'limits: takers at the same time lease no more than maxInFlight': async (t) => {
    const queue = await t.createQueue('in-flight-many', { maxInFlight: 10 });
    await t.sendAll(
      queue,
      Array.from({ length: 40 }, (_, i) => `m${i}`),
    );
    const takers = Array.from({ length: 12 }, (_, i) =>
      t.take(queue, { consumerId: `consumer ${i}`, max: 3 }),
    );
    const leased = (await Promise.all(takers)).flat();
    assert.ok(leased.length <= 10, `${leased.length} are leased`);
    const rest = await t.take(queue);
    assert.equal(leased.length + rest.length, 10);
  },

  'G11 of one group as many are held as groupMaxInFlight says, in order': async (t) => {
    const queue = await t.createQueue('slots', { groupMaxInFlight: 2 });
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4', 'g5'], { groupId: 'g' });
    await t.sendAll(queue, ['h1'], { groupId: 'h' });
    const [g1, g2, h1] = await t.take(queue);
    assert.deepEqual(textsOf([g1!, g2!, h1!]), ['g1', 'g2', 'h1']);
    assert.deepEqual(await t.take(queue), []);
    assert.deepEqual(await t.states(queue), { ready: 3, scheduled: 0, leased: 3 });
    await t.settle(queue, g2!);
    assert.deepEqual(await t.takeTexts(queue), ['g3']);
    await t.settle(queue, g1!);
    assert.deepEqual(await t.takeTexts(queue), ['g4']);
    assert.deepEqual(await t.take(queue), []);
  },

  'G11 with several slots a batch holds no more of a group than there are': async (t) => {
    const queue = await t.createQueue('slots-batch', { groupMaxInFlight: 2 });
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4'], { groupId: 'g' });
    assert.deepEqual(await t.takeTexts(queue, { perGroup: 4 }), ['g1', 'g2']);
  },

  'G11 a back-off keeps its slot': async (t) => {
    const queue = await t.createQueue('slots-back-off', { groupMaxInFlight: 2 });
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4'], { groupId: 'g' });
    await t.release(queue, await t.takeOne(queue), { delay: 1_000 });
    const g2 = await t.takeOne(queue);
    assert.equal(textOf(g2), 'g2');
    assert.deepEqual(await t.take(queue), []);
    await t.settle(queue, g2);
    const g3 = await t.takeOne(queue);
    assert.equal(textOf(g3), 'g3');
    t.clock.advance(1_000);
    assert.deepEqual(await t.takeTexts(queue), ['g1']);
    await t.settle(queue, g3);
    assert.deepEqual(await t.takeTexts(queue), ['g4']);
  },

  'G11 with several slots a retry without delay comes before those behind it': async (t) => {
    const queue = await t.createQueue('slots-retry', { groupMaxInFlight: 2 });
    await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g' });
    const [g1, g2] = await t.take(queue);
    await t.release(queue, g1!);
    await t.settle(queue, g2!);
    assert.deepEqual(await t.takeTexts(queue), ['g1', 'g3']);
  },

  'G11 more slots are used when a message of the group ends': async (t) => {
    const queue = await t.createQueue('more-slots-end');
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4', 'g5'], { groupId: 'g' });
    const g1 = await t.takeOne(queue);
    const wide = { ...queue, groupMaxInFlight: 3 };
    assert.deepEqual(await t.take(wide), []);
    await t.settle(wide, g1);
    assert.deepEqual(await t.takeTexts(wide), ['g2', 'g3', 'g4']);
  },

  'G11 more slots are used when a message comes to the group': async (t) => {
    const queue = await t.createQueue('more-slots-send');
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4'], { groupId: 'g' });
    await t.takeOne(queue);
    const wide = { ...queue, groupMaxInFlight: 3 };
    await t.send(wide, 'g5', { groupId: 'g' });
    assert.deepEqual(await t.takeTexts(wide), ['g2', 'g3']);
  },

  'G11 with fewer slots none goes while as many of its group are leased': async (t) => {
    const queue = await t.createQueue('fewer-slots', { groupMaxInFlight: 3 });
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4'], { groupId: 'g' });
    await t.send(queue, 'other');
    const g1 = await t.takeOne(queue);
    const narrow = { ...queue, groupMaxInFlight: 1 };
    assert.deepEqual(await t.takeTexts(narrow), ['other']);
    assert.deepEqual(await t.states(queue), { ready: 3, scheduled: 0, leased: 2 });
    await t.settle(narrow, g1);
    for (const expected of ['g2', 'g3', 'g4']) {
      const next = await t.takeOne(narrow);
      assert.equal(textOf(next), expected);
      assert.deepEqual(await t.take(narrow), []);
      await t.settle(narrow, next);
    }
  },

  'G11 what fewer slots held back goes at once when there are more again': async (t) => {
    const queue = await t.createQueue('slots-again', { groupMaxInFlight: 3 });
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4'], { groupId: 'g' });
    await t.takeOne(queue);
    assert.deepEqual(await t.take({ ...queue, groupMaxInFlight: 1 }), []);
    assert.deepEqual(await t.takeTexts(queue), ['g2', 'g3']);
  },

  'G11 while one is leased by id its group has a slot less': async (t) => {
    const queue = await t.createQueue('slots-ids');
    const [, id] = await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g' });
    const g2 = await t.takeOne(queue, { ids: [id!] });
    assert.deepEqual(await t.take(queue), []);
    await t.settle(queue, g2);
    const g1 = await t.takeOne(queue);
    assert.equal(textOf(g1), 'g1');
    await t.settle(queue, g1);
    assert.deepEqual(await t.takeTexts(queue), ['g3']);
  },

  'G11 what is due joins its group by the slots that the last take had': async (t) => {
    const queue = await t.createQueue('slots-sweep', { groupMaxInFlight: 2 });
    assert.deepEqual(await t.take(queue), []);
    await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g', delay: 10 });
    t.clock.advance(10);
    await t.sweep();
    assert.deepEqual(await t.states(queue), { ready: 3, scheduled: 0, leased: 0 });
    assert.deepEqual(await t.takeTexts(queue), ['g1', 'g2']);
  },

  'G11 with several slots a purge leaves nothing behind': async (t) => {
    const queue = await t.createQueue('slots-purge', { groupMaxInFlight: 2 });
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4'], { groupId: 'g' });
    const g1 = await t.takeOne(queue);
    assert.equal(await t.driver.purge(queue), 3);
    await t.sendAll(queue, ['g5', 'g6'], { groupId: 'g' });
    assert.deepEqual(await t.takeTexts(queue), ['g5']);
    await t.settle(queue, g1);
    assert.deepEqual(await t.takeTexts(queue), ['g6']);
  },
};
