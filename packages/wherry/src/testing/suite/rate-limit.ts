import assert from 'node:assert/strict';
import type { QueueRef } from '../../core/driver.ts';
import type { AspectTests } from './aspect.ts';
import { type Fixture, newMessage, receiptOf, textsOf } from './fixture.ts';

const TWO_A_SECOND = { max: 2, per: 1_000 };

/** Takes what the limits let go: its texts, and when to come again. */
async function takeAll(t: Fixture, queue: QueueRef): Promise<[texts: string[], number | null]> {
  const { messages, retryIn } = await t.takeResult(queue);
  return [textsOf(messages), retryIn];
}

export const rateLimitTests: AspectTests = {
  'limits: a rate limit lets its number go at once, then evenly': async (t) => {
    const queue = await t.createQueue('rate', { rateLimit: TWO_A_SECOND });
    await t.sendAll(queue, ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(await takeAll(t, queue), [['a', 'b'], 500]);
    t.clock.advance(499);
    assert.deepEqual(await takeAll(t, queue), [[], 1]);
    t.clock.advance(1);
    assert.deepEqual(await takeAll(t, queue), [['c'], 500]);
    t.clock.advance(1_000);
    assert.deepEqual(await takeAll(t, queue), [['d', 'e'], null]);
  },

  'limits: what a rate limit leaves unused gathers up to its number': async (t) => {
    const queue = await t.createQueue('rate-unused', { rateLimit: TWO_A_SECOND });
    await t.sendAll(queue, ['a', 'b', 'c', 'd', 'e', 'f']);
    assert.deepEqual(await t.takeTexts(queue, { max: 1 }), ['a']);
    t.clock.advance(86_400_000);
    assert.deepEqual(await takeAll(t, queue), [['b', 'c'], 500]);
    t.clock.advance(3_600_000);
    await t.sweep();
    assert.deepEqual(await takeAll(t, queue), [['d', 'e'], 500]);
  },

  'limits: a rate limit that does not divide evenly loses nothing': async (t) => {
    const queue = await t.createQueue('rate-odd', { rateLimit: { max: 3, per: 1_000 } });
    await t.sendAll(queue, ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    const waits: (number | null)[] = [];
    for (const texts of [['a', 'b', 'c'], ['d'], ['e'], ['f']]) {
      const [taken, retryIn] = await takeAll(t, queue);
      assert.deepEqual(taken, texts);
      waits.push(retryIn);
      t.clock.advance(retryIn!);
    }
    assert.deepEqual(waits, [334, 333, 333, 334]);
  },

  'limits: who got all that was asked for, or found nothing, need not wait for a rate': async (
    t,
  ) => {
    const queue = await t.createQueue('rate-null', { rateLimit: TWO_A_SECOND });
    await t.sendAll(queue, ['a', 'b', 'c']);
    const full = await t.takeResult(queue, { max: 2 });
    assert.deepEqual([full.messages.length, full.retryIn], [2, null]);
    t.clock.advance(500);
    assert.deepEqual(await takeAll(t, queue), [['c'], null]);
    assert.deepEqual(await takeAll(t, queue), [[], null]);
  },

  'limits: each delivery spends of the rate, one that was not begun too': async (t) => {
    const queue = await t.createQueue('rate-retry', { rateLimit: TWO_A_SECOND });
    await t.send(queue, 'a');
    await t.release(queue, await t.takeOne(queue), { as: 'unstarted' });
    await t.release(queue, await t.takeOne(queue));
    assert.deepEqual(await takeAll(t, queue), [[], 500]);
    t.clock.advance(500);
    assert.deepEqual(await takeAll(t, queue), [['a'], null]);
  },

  'limits: takes by id and sweeps neither heed nor spend a rate': async (t) => {
    const one = { max: 1, per: 1_000 };
    const limits = { rateLimit: one, groupRateLimit: one, groupMaxInFlight: 9 };
    const queue = await t.createQueue('rate-ids', limits);
    const ids = await t.sendAll(queue, ['a', 'b', 'c'], { groupId: 'g' });
    await t.send(queue, 'expired', { groupId: 'g', ttl: 1 });
    t.clock.advance(1);
    assert.equal((await t.sweep()).length, 1);
    assert.equal((await t.take(queue, { ids: ids.slice(0, 1) })).length, 1);
    assert.deepEqual(await takeAll(t, queue), [['b'], 1_000]);
    const byId = await t.takeResult(queue, { ids: ids.slice(2) });
    assert.deepEqual([textsOf(byId.messages), byId.retryIn], [['c'], null]);
  },

  'limits: a rate may change at any time, and keeps its tokens': async (t) => {
    const queue = await t.createQueue('rate-change', { rateLimit: { max: 10, per: 1_000 } });
    await t.sendAll(
      queue,
      Array.from({ length: 20 }, (_, i) => `m${i}`),
    );
    assert.equal((await t.take(queue, { max: 7 })).length, 7);
    const larger = { ...queue, rateLimit: { max: 20, per: 4_000 } };
    assert.equal((await t.take(larger, { max: 2 })).length, 2, 'of three that were left');
    const smaller = { ...queue, rateLimit: { max: 1, per: 500 } };
    assert.deepEqual(await takeAll(t, smaller), [['m9'], 500]);
    const none = { ...queue, rateLimit: null };
    assert.equal((await t.take(none, { max: 5 })).length, 5);
    assert.deepEqual(await takeAll(t, smaller), [[], 500]);
  },

  'limits: until a rate is looked at by another limit it fills by the one before': async (t) => {
    const slow = await t.createQueue('rate-fills', { rateLimit: { max: 1, per: 1_000 } });
    await t.sendAll(slow, ['a', 'b', 'c']);
    assert.deepEqual(await takeAll(t, slow), [['a'], 1_000]);
    t.clock.advance(500);
    const fast = { ...slow, rateLimit: { max: 500, per: 1_000 } };
    assert.deepEqual(await takeAll(t, fast), [[], 1]);
    t.clock.advance(1);
    assert.deepEqual(await takeAll(t, fast), [['b'], 2]);
  },

  'limits: a rate that is full is full under another limit': async (t) => {
    const queue = await t.createQueue('rate-full', { rateLimit: { max: 1, per: 1_000 } });
    await t.sendAll(queue, ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(await takeAll(t, queue), [['a'], 1_000]);
    t.clock.advance(1_000);
    const larger = { ...queue, rateLimit: { max: 3, per: 3_000 } };
    assert.deepEqual(await takeAll(t, larger), [['b', 'c', 'd'], 1_000]);
  },

  'limits: a group rate limit holds back its group, and no other message': async (t) => {
    const limits = { groupMaxInFlight: 9, groupRateLimit: TWO_A_SECOND };
    const queue = await t.createQueue('group-rate', limits);
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4'], { groupId: 'g' });
    await t.sendAll(queue, ['h1', 'h2'], { groupId: 'h' });
    await t.sendAll(queue, ['a', 'b', 'c']);
    assert.deepEqual(await takeAll(t, queue), [['g1', 'g2', 'h1', 'h2', 'a', 'b', 'c'], 500]);
    assert.deepEqual(await t.states(queue), { ready: 2, scheduled: 0, leased: 7 });
    await t.send(queue, 'h3', { groupId: 'h' });
    t.clock.advance(500);
    assert.deepEqual(await takeAll(t, queue), [['g3', 'h3'], 500]);
    t.clock.advance(500);
    assert.deepEqual(await takeAll(t, queue), [['g4'], null]);
  },

  'limits: of several groups the soonest says when to come again': async (t) => {
    const limits = { groupMaxInFlight: 9, groupRateLimit: { max: 1, per: 1_000 } };
    const queue = await t.createQueue('group-rate-soonest', limits);
    await t.sendAll(queue, ['g1', 'g2'], { groupId: 'g' });
    assert.deepEqual(await takeAll(t, queue), [['g1'], 1_000]);
    t.clock.advance(300);
    await t.sendAll(queue, ['h1', 'h2'], { groupId: 'h' });
    assert.deepEqual(await takeAll(t, queue), [['h1'], 700]);
    await t.driver.purge(queue);
    assert.deepEqual(await takeAll(t, queue), [[], null]);
  },

  'limits: what a group rate limit held back comes at its place again': async (t) => {
    const limits = { groupMaxInFlight: 9, groupRateLimit: { max: 1, per: 1_000 } };
    const queue = await t.createQueue('group-rate-order', limits);
    await t.send(queue, 'before');
    await t.sendAll(queue, ['g1', 'g2'], { groupId: 'g' });
    await t.sendAll(queue, ['behind']);
    const [before] = await t.take(queue);
    await t.release(queue, before!);
    await t.sendAll(queue, ['last', 'first'], {});
    await t.send(queue, 'high', { priority: 1 });
    t.clock.advance(1_000);
    assert.deepEqual(await t.takeTexts(queue), ['high', 'before', 'g2', 'last', 'first']);
  },

  'limits: both rates must let a message go, and both are spent': async (t) => {
    const limits = {
      groupMaxInFlight: 9,
      rateLimit: { max: 3, per: 1_000 },
      groupRateLimit: { max: 1, per: 100 },
    };
    const queue = await t.createQueue('both-rates', limits);
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4'], { groupId: 'g' });
    assert.deepEqual(await takeAll(t, queue), [['g1'], 100]);
    t.clock.advance(100);
    assert.deepEqual(await takeAll(t, queue), [['g2'], 100]);
    t.clock.advance(100);
    assert.deepEqual(await takeAll(t, queue), [['g3'], 100]);
    t.clock.advance(100);
    assert.deepEqual(await takeAll(t, queue), [[], 34], "the queue's, which had 900 of 1,000");
    await t.send(queue, 'plain');
    assert.deepEqual(await takeAll(t, queue), [[], 34]);
    t.clock.advance(34);
    assert.deepEqual(await takeAll(t, queue), [['g4'], 333]);
  },

  'limits: a batch of one group spends of both rates': async (t) => {
    const limits = { rateLimit: { max: 5, per: 1_000 }, groupRateLimit: { max: 2, per: 1_000 } };
    const queue = await t.createQueue('batch-rate', limits);
    await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g' });
    await t.sendAll(queue, ['h1', 'h2', 'h3'], { groupId: 'h' });
    await t.sendAll(queue, ['a', 'b']);
    const { messages, retryIn } = await t.takeResult(queue, { perGroup: 3 });
    assert.deepEqual(textsOf(messages), ['g1', 'g2', 'h1', 'h2', 'a']);
    assert.equal(retryIn, 200);
  },

  'limits: who waits behind held ones of the group waits for no rate': async (t) => {
    const queue = await t.createQueue('behind', { groupRateLimit: { max: 1, per: 1_000 } });
    await t.sendAll(queue, ['g1', 'g2'], { groupId: 'g' });
    const { messages, retryIn } = await t.takeResult(queue, { perGroup: 2 });
    assert.deepEqual([textsOf(messages), retryIn], [['g1'], null]);
    await t.settle(queue, messages[0]!);
    assert.deepEqual(await takeAll(t, queue), [[], 1_000]);
  },

  'limits: what expires while a rate holds it back is swept, and never handed out': async (t) => {
    const limits = { groupMaxInFlight: 9, groupRateLimit: { max: 1, per: 1_000 } };
    const queue = await t.createQueue('rate-ttl', limits);
    await t.send(queue, 'g1', { groupId: 'g' });
    await t.send(queue, 'g2', { groupId: 'g', ttl: 500 });
    assert.deepEqual(await takeAll(t, queue), [['g1'], 1_000]);
    t.clock.advance(500);
    assert.deepEqual(await takeAll(t, queue), [[], null]);
    assert.deepEqual(textsOf(await t.sweep()), ['g2']);
  },

  'limits: a rate holds back suspects like others': async (t) => {
    const queue = await t.createQueue('rate-suspect', { rateLimit: TWO_A_SECOND });
    await t.sendAll(queue, ['a', 'b', 'c']);
    const [a, b] = await t.take(queue);
    for (const one of [a!, b!]) await t.release(queue, one, { suspect: true });
    assert.deepEqual(await takeAll(t, queue), [[], 500]);
    t.clock.advance(1_000);
    assert.deepEqual(await takeAll(t, queue), [['a'], null]);
    assert.deepEqual(await takeAll(t, queue), [['c'], null]);
  },

  'limits: what a rate holds back is ready, and may be moved out by hand': async (t) => {
    const limits = { groupMaxInFlight: 9, groupRateLimit: { max: 1, per: 1_000 } };
    const queue = await t.createQueue('rate-states', limits);
    const dead = await t.createQueue('dead');
    const [, g2] = await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g' });
    await t.takeOne(queue);
    assert.deepEqual(await takeAll(t, queue), [[], 1_000]);
    assert.deepEqual(await t.states(queue), { ready: 2, scheduled: 0, leased: 1 });
    assert.equal((await t.browse(queue, 'ready')).length, 2);
    const byId = await t.takeOne(queue, { ids: [g2!] });
    await t.driver.move([{ receipt: receiptOf(queue, byId), targets: [dead] }]);
    assert.deepEqual(await takeAll(t, queue), [[], 1_000]);
    t.clock.advance(1_000);
    assert.deepEqual(await takeAll(t, queue), [['g3'], null]);
  },

  'limits: group rates may change at any time': async (t) => {
    const limits = { groupMaxInFlight: 9, groupRateLimit: { max: 1, per: 60_000 } };
    const queue = await t.createQueue('group-rate-change', limits);
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4'], { groupId: 'g' });
    assert.deepEqual(await takeAll(t, queue), [['g1'], 60_000]);
    const faster = { ...queue, groupRateLimit: { max: 60, per: 60_000 } };
    assert.deepEqual(await takeAll(t, faster), [[], 1_000]);
    t.clock.advance(1_000);
    assert.deepEqual(await takeAll(t, faster), [['g2'], 1_000]);
    assert.deepEqual(await takeAll(t, { ...queue, groupRateLimit: null }), [['g3', 'g4'], null]);
  },

  'limits: takers at the same time take no more than the rate': async (t) => {
    const queue = await t.createQueue('rate-many', { rateLimit: { max: 10, per: 1_000 } });
    await t.sendAll(
      queue,
      Array.from({ length: 40 }, (_, i) => `m${i}`),
    );
    const takers = Array.from({ length: 12 }, (_, i) =>
      t.take(queue, { consumerId: `consumer ${i}`, max: 3 }),
    );
    const leased = (await Promise.all(takers)).flat();
    assert.ok(leased.length <= 10, `${leased.length} were handed out`);
    const rest = await t.take(queue);
    assert.equal(leased.length + rest.length, 10);
  },

  'limits: with many groups held back by their rate others still come': async (t) => {
    const limits = { groupMaxInFlight: 9, groupRateLimit: { max: 1, per: 60_000 } };
    const queue = await t.createQueue('rate-groups', limits);
    const groups = Array.from({ length: 500 }, (_, i) => `g${i}`);
    for (const round of [1, 2]) {
      const items = groups.map((groupId) => ({
        targets: [queue],
        message: newMessage(`${groupId} ${round}`, { groupId }),
      }));
      await t.driver.publish(items);
    }
    await t.send(queue, 'plain');
    const first = await t.take(queue, { max: 500 });
    assert.equal(new Set(first.map(({ groupId }) => groupId)).size, 500);
    assert.deepEqual(await takeAll(t, queue), [['plain'], 60_000]);
    assert.deepEqual(await t.states(queue), { ready: 500, scheduled: 0, leased: 501 });
    t.clock.advance(60_000);
    await t.sweep();
    const second = await t.take(queue, { max: 1_000 });
    assert.deepEqual(
      textsOf(second),
      groups.map((groupId) => `${groupId} 2`),
    );
  },
};
