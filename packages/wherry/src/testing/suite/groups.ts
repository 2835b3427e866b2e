import assert from 'node:assert/strict';
import type { AspectTests } from './aspect.ts';
import { LEASE_MS, receiptOf, textOf, textsOf } from './fixture.ts';

export const groupTests: AspectTests = {
  'G11 of one group one message is held, the next in order follows': async (t) => {
    const queue = await t.createQueue('one-held');
    await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g' });
    await t.sendAll(queue, ['h1', 'h2'], { groupId: 'h' });
    await t.send(queue, 'free');
    const [g1, h1, free] = await t.take(queue);
    assert.deepEqual(textsOf([g1!, h1!, free!]), ['g1', 'h1', 'free']);
    assert.deepEqual(await t.take(queue), []);
    assert.deepEqual(await t.states(queue), { ready: 3, scheduled: 0, leased: 3 });
    await t.settle(queue, g1!);
    const g2 = await t.takeOne(queue);
    assert.equal(textOf(g2), 'g2');
    assert.deepEqual(await t.take(queue), []);
    await t.settle(queue, h1!);
    assert.deepEqual(await t.takeTexts(queue), ['h2']);
    await t.settle(queue, g2);
    assert.deepEqual(await t.takeTexts(queue), ['g3']);
  },

  'G11 what comes while one of its group is held waits behind it': async (t) => {
    const queue = await t.createQueue('comes-later');
    await t.send(queue, 'held', { groupId: 'g' });
    const held = await t.takeOne(queue);
    await t.send(queue, 'later', { groupId: 'g' });
    assert.deepEqual(await t.take(queue), []);
    await t.settle(queue, held);
    assert.deepEqual(await t.takeTexts(queue), ['later']);
  },

  'G11 calls that are outstanding together keep a group in their order': async (t) => {
    const queue = await t.createQueue('outstanding');
    const calls = Array.from({ length: 8 }, (_, call) =>
      Array.from({ length: 30 }, (_unused, index) => `${call}/${index}`),
    );
    const sent = calls.map((texts) => t.sendAll(queue, texts, { groupId: 'g' }));
    await Promise.all(sent);
    assert.deepEqual(await t.takeTexts(queue, { max: 240, perGroup: 240 }), calls.flat());
  },

  'G11 priority is ignored within a group': async (t) => {
    const queue = await t.createQueue('group-priority');
    await t.send(queue, 'first', { groupId: 'g' });
    await t.send(queue, 'second', { groupId: 'g', priority: 200 });
    const first = await t.takeOne(queue);
    assert.equal(textOf(first), 'first');
    await t.settle(queue, first);
    assert.deepEqual(await t.takeTexts(queue), ['second']);
  },

  'G11 a back-off blocks its group, and only that': async (t) => {
    const queue = await t.createQueue('group-back-off');
    await t.sendAll(queue, ['g1', 'g2'], { groupId: 'g' });
    await t.send(queue, 'h1', { groupId: 'h' });
    await t.release(queue, await t.takeOne(queue), { delay: 1_000 });
    assert.deepEqual(await t.takeTexts(queue), ['h1']);
    t.clock.advance(999);
    assert.deepEqual(await t.take(queue), []);
    t.clock.advance(1);
    const g1 = await t.takeOne(queue);
    assert.equal(textOf(g1), 'g1');
    await t.settle(queue, g1);
    assert.deepEqual(await t.takeTexts(queue), ['g2']);
  },

  'G11 a retry without delay comes before its successors': async (t) => {
    const queue = await t.createQueue('group-retry');
    await t.sendAll(queue, ['g1', 'g2'], { groupId: 'g' });
    await t.release(queue, await t.takeOne(queue));
    assert.deepEqual(await t.takeTexts(queue), ['g1']);
  },

  'G11 an initial delay does not block its group': async (t) => {
    const queue = await t.createQueue('group-delay');
    await t.send(queue, 'delayed', { groupId: 'g', delay: 500 });
    await t.sendAll(queue, ['g1', 'g2'], { groupId: 'g' });
    const g1 = await t.takeOne(queue);
    assert.equal(textOf(g1), 'g1');
    t.clock.advance(500);
    assert.deepEqual(await t.take(queue), [], 'due, but its group is held');
    assert.deepEqual(await t.states(queue), { ready: 2, scheduled: 0, leased: 1 });
    await t.settle(queue, g1);
    const next = await t.takeOne(queue);
    assert.equal(textOf(next), 'delayed', 'it was sent first');
    await t.settle(queue, next);
    assert.deepEqual(await t.takeTexts(queue), ['g2']);
  },

  'G11 an ended lease keeps its group blocked until somebody decides': async (t) => {
    const queue = await t.createQueue('group-lease');
    await t.sendAll(queue, ['g1', 'g2'], { groupId: 'g' });
    await t.takeOne(queue);
    t.clock.advance(LEASE_MS);
    assert.deepEqual(await t.take(queue), []);
    const [swept] = await t.sweep();
    assert.deepEqual(await t.take(queue), []);
    await t.release(queue, swept!);
    assert.deepEqual(await t.takeTexts(queue), ['g1']);
  },

  'G11 a move lets the group go on': async (t) => {
    const queue = await t.createQueue('group-move');
    const dead = await t.createQueue('dead');
    await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g' });
    for (const expected of ['g1', 'g2']) {
      const leased = await t.takeOne(queue);
      assert.equal(textOf(leased), expected);
      await t.driver.move([{ receipt: receiptOf(queue, leased), targets: [dead] }]);
    }
    assert.deepEqual(await t.takeTexts(queue), ['g3']);
    const g1 = await t.takeOne(dead);
    assert.equal(g1.groupId, 'g', 'it keeps its group');
    assert.deepEqual(await t.take(dead), [], 'also where it came to');
  },

  'G9 G11 an expired message lets its group go on once it is decided about': async (t) => {
    const queue = await t.createQueue('group-ttl');
    await t.send(queue, 'g1', { groupId: 'g', ttl: 10 });
    await t.send(queue, 'g2', { groupId: 'g' });
    await t.send(queue, 'g3', { groupId: 'g', ttl: 10 });
    t.clock.advance(10);
    const swept = await t.sweep();
    assert.deepEqual(textsOf(swept).toSorted(), ['g1', 'g3']);
    await t.driver.settle(swept.map((one) => receiptOf(queue, one)));
    assert.deepEqual(await t.takeTexts(queue), ['g2']);
  },

  'G11 a batch may hold several of a group, in order, for one holder': async (t) => {
    const queue = await t.createQueue('group-batch');
    const texts = ['g1', 'g2', 'g3', 'g4', 'g5'];
    await t.sendAll(queue, texts, { groupId: 'g' });
    const batch = await t.take(queue, { perGroup: 3 });
    assert.deepEqual(textsOf(batch), ['g1', 'g2', 'g3']);
    assert.deepEqual(await t.take(queue, { perGroup: 3 }), []);
    await t.settle(queue, batch[0]!);
    await t.settle(queue, batch[1]!);
    assert.deepEqual(await t.take(queue), [], 'g3 is held still');
    await t.settle(queue, batch[2]!);
    assert.deepEqual(await t.takeTexts(queue, { perGroup: 9, max: 1 }), ['g4']);
  },

  'G11 of a batch that failed, the first comes first again': async (t) => {
    const queue = await t.createQueue('group-batch-retry');
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4'], { groupId: 'g' });
    const [g1, g2, g3] = await t.take(queue, { perGroup: 3 });
    await t.release(queue, g3!, { as: 'unstarted' });
    await t.release(queue, g1!, { delay: 1_000 });
    assert.deepEqual(await t.take(queue), [], 'g2 is held still');
    await t.settle(queue, g2!);
    assert.deepEqual(await t.take(queue), [], 'g1 backs off');
    t.clock.advance(1_000);
    assert.deepEqual(await t.takeTexts(queue, { perGroup: 9 }), ['g1', 'g3', 'g4']);
  },

  'G11 purging a group leaves nothing behind': async (t) => {
    const queue = await t.createQueue('group-purge');
    await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g' });
    const g1 = await t.takeOne(queue);
    assert.equal(await t.driver.purge(queue), 2);
    await t.send(queue, 'g4', { groupId: 'g' });
    assert.deepEqual(await t.take(queue), []);
    await t.settle(queue, g1);
    const g4 = await t.takeOne(queue);
    await t.settle(queue, g4);
    await t.send(queue, 'g5', { groupId: 'g' });
    assert.deepEqual(await t.takeTexts(queue), ['g5']);
  },

  'G11 groups of one queue do not touch those of another': async (t) => {
    const one = await t.createQueue('one');
    const two = await t.createQueue('two');
    await t.send(one, 'a', { groupId: 'g' });
    await t.send(two, 'b', { groupId: 'g' });
    assert.equal((await t.take(one)).length, 1);
    assert.equal((await t.take(two)).length, 1);
  },

  'G11 group names may hold anything': async (t) => {
    const queue = await t.createQueue('group-names');
    const names = [
      'a',
      'A',
      'a b',
      'a/b:c',
      'ü',
      '🚣',
      'x'.repeat(255),
      'ÿ'.repeat(127),
      '__proto__',
    ];
    for (const groupId of names) await t.sendAll(queue, [groupId, 'next'], { groupId });
    const heads = await t.take(queue);
    assert.deepEqual(textsOf(heads), names);
    for (const head of heads) assert.equal(head.groupId, head.body);
  },
};
