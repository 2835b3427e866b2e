import assert from 'node:assert/strict';
import type { AspectTests } from './aspect.ts';
import { LEASE_MS, textOf, textsOf } from './fixture.ts';

export const takeTests: AspectTests = {
  'G5 messages of one priority are leased in the order of sending': async (t) => {
    const queue = await t.createQueue('fifo');
    const texts = Array.from({ length: 30 }, (_, index) => String(index));
    for (const text of texts.slice(0, 10)) await t.send(queue, text);
    await t.sendAll(queue, texts.slice(10));
    const taken: string[] = [];
    for (const max of [1, 4, 2, 100]) taken.push(...(await t.takeTexts(queue, { max })));
    assert.deepEqual(taken, texts);
  },

  'G5 the higher priority is leased first, also in a batch of several': async (t) => {
    const queue = await t.createQueue('priorities');
    const priorities = [0, 5, 255, 5, 1, 0, 255, 128];
    for (const [index, priority] of priorities.entries()) {
      await t.send(queue, `${priority}/${index}`, { priority });
    }
    assert.deepEqual(await t.takeTexts(queue, { max: 3 }), ['255/2', '255/6', '128/7']);
    await t.send(queue, 'late/8', { priority: 200 });
    const rest = ['late/8', '5/1', '5/3', '1/4', '0/0', '0/5'];
    assert.deepEqual(await t.takeTexts(queue), rest);
  },

  'G3 a leased message is not handed out again': async (t) => {
    const queue = await t.createQueue('exclusive');
    await t.sendAll(queue, ['a', 'b', 'c']);
    const first = await t.takeTexts(queue, { max: 2, consumerId: 'one' });
    const second = await t.takeTexts(queue, { max: 2, consumerId: 'two' });
    assert.deepEqual([...first, ...second], ['a', 'b', 'c']);
    assert.deepEqual(await t.take(queue), []);
    t.clock.advance(LEASE_MS - 1);
    assert.deepEqual(await t.take(queue), []);
  },

  'G3 an ended lease is for the sweeper to decide about, not for take': async (t) => {
    const queue = await t.createQueue('ended');
    await t.send(queue, 'a');
    await t.takeOne(queue);
    t.clock.advance(LEASE_MS);
    assert.deepEqual(await t.take(queue), []);
    assert.equal((await t.states(queue)).leased, 1);
  },

  'G3 a lease names its holder, its token and its end': async (t) => {
    const queue = await t.createQueue('lease');
    const id = await t.send(queue, 'a');
    const leased = await t.takeOne(queue, { consumerId: 'holder', leaseDuration: 1_234 });
    assert.equal(leased.lease.consumerId, 'holder');
    assert.equal(leased.lease.until, t.clock.now() + 1_234);
    assert.ok(Number.isSafeInteger(leased.lease.token));
    assert.equal(leased.state, 'leased');
    assert.equal(leased.deliveryCount, 1);
    assert.equal(leased.retryCount, 0);
    assert.deepEqual(await t.get(id), leased);
  },

  'G4 each lease has a token of its own': async (t) => {
    const queue = await t.createQueue('tokens');
    await t.sendAll(queue, ['a', 'b']);
    const tokens = new Set<number>();
    for (let round = 0; round < 5; round += 1) {
      for (const leased of await t.take(queue)) {
        tokens.add(leased.lease.token);
        await t.release(queue, leased, { as: 'unstarted' });
      }
    }
    assert.equal(tokens.size, 10);
  },

  'queues do not share messages': async (t) => {
    const one = await t.createQueue('one');
    const two = await t.createQueue('two');
    await t.send(one, 'for one');
    assert.deepEqual(await t.take(two), []);
    assert.deepEqual(await t.takeTexts(one), ['for one']);
  },

  'a delayed message is not leased before its time, and is from then on': async (t) => {
    const queue = await t.createQueue('delayed');
    await t.send(queue, 'delayed', { delay: 1_000 });
    assert.deepEqual(await t.states(queue), { ready: 0, scheduled: 1, leased: 0 });
    t.clock.advance(999);
    assert.deepEqual(await t.take(queue), []);
    t.clock.advance(1);
    assert.deepEqual(await t.takeTexts(queue), ['delayed']);
  },

  'G5 a delayed message takes the place of its sending once it is due': async (t) => {
    const queue = await t.createQueue('delayed-order');
    await t.send(queue, 'first', { delay: 50 });
    await t.send(queue, 'second');
    await t.send(queue, 'third', { delay: 20 });
    t.clock.advance(50);
    await t.send(queue, 'fourth');
    assert.deepEqual(await t.takeTexts(queue), ['first', 'second', 'third', 'fourth']);
  },

  'G9 nothing is leased past its TTL': async (t) => {
    const queue = await t.createQueue('ttl');
    await t.sendAll(queue, ['in time', 'too late'], { ttl: 100 });
    await t.send(queue, 'no ttl');
    t.clock.advance(99);
    assert.equal(textOf(await t.takeOne(queue)), 'in time');
    t.clock.advance(1);
    assert.deepEqual(await t.takeTexts(queue), ['no ttl']);
  },

  'G9 the TTL of a delayed message begins when it is due': async (t) => {
    const queue = await t.createQueue('ttl-delay');
    await t.sendAll(queue, ['a', 'b'], { ttl: 100, delay: 1_000 });
    t.clock.advance(1_099);
    assert.deepEqual(await t.takeTexts(queue, { max: 1 }), ['a']);
    t.clock.advance(1);
    assert.deepEqual(await t.take(queue), []);
  },

  'ids lease just those, ready or scheduled, due or not': async (t) => {
    const queue = await t.createQueue('by-id');
    const other = await t.createQueue('elsewhere');
    const ids = await t.sendAll(queue, ['a', 'b', 'c', 'd'], { priority: 3 });
    const delayed = await t.send(queue, 'delayed', { delay: 60_000 });
    const foreign = await t.send(other, 'foreign');
    const unknown = 'e'.repeat(32);
    const request = { ids: [ids[2]!, delayed, foreign, unknown, ids[0]!] };
    assert.deepEqual((await t.takeTexts(queue, request)).toSorted(), ['a', 'c', 'delayed']);
    assert.deepEqual(await t.take(queue, request), [], 'leased ones are not leased again');
    assert.deepEqual(await t.takeTexts(queue), ['b', 'd']);
    assert.deepEqual(await t.states(other), { ready: 1, scheduled: 0, leased: 0 });
  },

  'ids are leased up to max': async (t) => {
    const queue = await t.createQueue('by-id-max');
    const ids = await t.sendAll(queue, ['a', 'b', 'c']);
    assert.equal((await t.take(queue, { ids, max: 2 })).length, 2);
    assert.deepEqual(await t.states(queue), { ready: 1, scheduled: 0, leased: 2 });
  },

  'G9 ids do not lease what is past its TTL, unless it is parked': async (t) => {
    const queue = await t.createQueue('by-id-ttl');
    const ids = await t.sendAll(queue, ['expired', 'parked'], { ttl: 100 });
    const [leased] = await t.take(queue, { ids: [ids[1]!] });
    const parked = { queue: 'by-id-ttl', reason: 'expired' } as const;
    await t.release(queue, leased!, { as: 'unstarted', delay: Infinity, parked });
    t.clock.advance(100);
    assert.deepEqual(textsOf(await t.take(queue, { ids })), ['parked']);
    assert.deepEqual(textsOf(await t.sweep()), ['expired']);
  },
};
