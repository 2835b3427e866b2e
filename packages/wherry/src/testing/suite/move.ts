import assert from 'node:assert/strict';
import type { MoveOutcome, QueueRef } from '../../core/driver.ts';
import type { Death, DeathRoute, NewDeath } from '../../core/message.ts';
import type { AspectTests } from './aspect.ts';
import { type Fixture, newMessage, receiptOf } from './fixture.ts';

const REJECTED: NewDeath = { queue: 'source', reason: 'rejected', error: 'boom', stack: 'at x' };

function routeTo(key: string): DeathRoute {
  return { exchange: '', routingKeys: ['source'], toExchange: 'dlx', toRoutingKeys: [key, 'cc'] };
}

/** Takes the next of `source` and moves it. */
async function moveNext(
  t: Fixture,
  source: QueueRef,
  targets: readonly QueueRef[],
  death?: NewDeath,
): Promise<MoveOutcome> {
  const receipt = receiptOf(source, await t.takeOne(source));
  const outcomes = await t.driver.move([{ receipt, targets, ...(death && { death }) }]);
  assert.equal(outcomes.length, 1);
  return outcomes[0]!;
}

export const moveTests: AspectTests = {
  'G7 a moved message is in its target and no longer in its source': async (t) => {
    const source = await t.createQueue('source');
    const target = await t.createQueue('target');
    const id = await t.send(source, 'a', { properties: { headers: { h: 1 } }, priority: 4 });
    const sent = await t.get(id);
    t.clock.advance(10);
    const leased = await t.takeOne(source);
    await t.release(source, leased, { as: 'retry' });
    const outcome = await moveNext(t, source, [target], REJECTED);
    assert.deepEqual(outcome, { status: 'moved', ids: [id] });
    assert.deepEqual(await t.states(source), { ready: 0, scheduled: 0, leased: 0 });
    assert.deepEqual(await t.states(target), { ready: 1, scheduled: 0, leased: 0 });
    const { sequence: _, ...moved } = await t.get(id);
    const { sequence: __, ...before } = sent;
    const now = t.clock.now();
    const deaths = [{ ...REJECTED, time: now, count: 1 }];
    const expected = { ...before, queueName: 'target', availableAt: now, deaths };
    assert.deepEqual(moved, expected);
  },

  'G7 a moved message takes the last place in its target': async (t) => {
    const source = await t.createQueue('source');
    const target = await t.createQueue('target');
    await t.send(source, 'moved');
    await t.sendAll(target, ['a', 'b']);
    await moveNext(t, source, [target]);
    await t.send(target, 'c');
    assert.deepEqual(await t.takeTexts(target), ['a', 'b', 'moved', 'c']);
  },

  "a move ends the message's TTL; the target's begins": async (t) => {
    const source = await t.createQueue('source');
    const plain = await t.createQueue('plain');
    const timed = await t.createQueue('timed', { messageTtl: 70 });
    await t.sendAll(source, ['a', 'b'], { ttl: 100 });
    t.clock.advance(50);
    const first = await moveNext(t, source, [plain]);
    const second = await moveNext(t, source, [timed]);
    assert.ok(first.status === 'moved' && second.status === 'moved');
    assert.equal((await t.get(first.ids[0]!)).expiresAt, null);
    assert.equal((await t.get(second.ids[0]!)).expiresAt, t.clock.now() + 70);
    t.clock.advance(70);
    assert.deepEqual(await t.take(timed), []);
    assert.deepEqual(await t.takeTexts(plain), ['a']);
  },

  'a move clears what the message lived through, but not its deaths': async (t) => {
    const source = await t.createQueue('source');
    const target = await t.createQueue('target');
    const id = await t.send(source, 'a');
    const parked = { queue: 'source', reason: 'max-retries' } as const;
    await t.release(source, await t.takeOne(source), { as: 'retry', parked, suspect: true });
    await moveNext(t, source, [target], REJECTED);
    const there = await t.get(id);
    assert.equal(there.retryCount, 0);
    assert.equal(there.deliveryCount, 0);
    assert.equal(there.parked, null);
    await t.send(target, 'b');
    assert.deepEqual(await t.takeTexts(target), ['a', 'b'], 'it is no suspect there');
  },

  'equal deaths are one entry, counted, the latest last': async (t) => {
    const source = await t.createQueue('source');
    const other = await t.createQueue('other');
    const id = await t.send(source, 'a');
    const expired: NewDeath = { queue: 'other', reason: 'expired' };
    await moveNext(t, source, [other], REJECTED);
    await moveNext(t, other, [source], expired);
    t.clock.advance(5);
    const again: NewDeath = { queue: 'source', reason: 'rejected', error: 'again' };
    await moveNext(t, source, [other], again);
    const now = t.clock.now();
    const deaths = [
      { ...expired, time: now - 5, count: 1 },
      { ...again, time: now, count: 2 },
    ];
    assert.deepEqual((await t.get(id)).deaths, deaths);
    await moveNext(t, other, [source]);
    assert.deepEqual((await t.get(id)).deaths, deaths, 'a redrive records no death');
  },

  'a death keeps the route that the message went; of equal ones the latest': async (t) => {
    const source = await t.createQueue('source');
    const other = await t.createQueue('other');
    const id = await t.send(source, 'a');
    const first = { ...REJECTED, route: routeTo('first') };
    await moveNext(t, source, [other], first);
    const time = t.clock.now();
    assert.deepEqual((await t.get(id)).deaths, [{ ...first, time, count: 1 }]);
    await moveNext(t, other, [source], { queue: 'other', reason: 'expired' });
    const second: NewDeath = { ...REJECTED, route: routeTo('ü') };
    await moveNext(t, source, [other], second);
    const expired: Death = { queue: 'other', reason: 'expired', time, count: 1 };
    assert.deepEqual((await t.get(id)).deaths, [expired, { ...second, time, count: 2 }]);
    await moveNext(t, other, [source], { queue: 'other', reason: 'expired' });
    await moveNext(t, source, [other], REJECTED);
    const { deaths } = await t.get(id);
    assert.deepEqual(deaths.at(-1), { ...REJECTED, time, count: 3 }, 'the latest went no route');
  },

  'a parked message keeps the route that it would go': async (t) => {
    const queue = await t.createQueue('parking');
    const id = await t.send(queue, 'a');
    const parked: NewDeath = { queue: 'parking', reason: 'rejected', route: routeTo('later') };
    await t.release(queue, await t.takeOne(queue), { parked });
    assert.deepEqual((await t.get(id)).parked, parked);
  },

  'a move to several queues gives the first the id, the others copies': async (t) => {
    const source = await t.createQueue('source');
    const targets = [await t.createQueue('one'), await t.createQueue('two')];
    const id = await t.send(source, 'a');
    const outcome = await moveNext(t, source, targets);
    assert.ok(outcome.status === 'moved');
    assert.equal(outcome.ids[0], id);
    assert.equal(new Set(outcome.ids).size, 2);
    for (const [index, target] of targets.entries()) {
      const copy = await t.takeOne(target);
      assert.equal(copy.id, outcome.ids[index]);
      assert.equal(copy.publishId, id);
    }
  },

  'a move to no queue removes the message': async (t) => {
    const source = await t.createQueue('source');
    const id = await t.send(source, 'a');
    assert.deepEqual(await moveNext(t, source, []), { status: 'moved', ids: [] });
    assert.equal(await t.driver.get(id), null);
    assert.deepEqual(await t.states(source), { ready: 0, scheduled: 0, leased: 0 });
  },

  'a move to its own queue sends the message to the end, also of a full one': async (t) => {
    const source = await t.createQueue('source', { maxSize: 2, maxBytes: 2 });
    await t.sendAll(source, ['a', 'b']);
    assert.equal((await moveNext(t, source, [source])).status, 'moved');
    assert.deepEqual(await t.takeTexts(source), ['b', 'a']);
  },

  'G8 a move to a full queue changes nothing': async (t) => {
    const source = await t.createQueue('source');
    const open = await t.createQueue('open');
    const full = await t.createQueue('full', { maxSize: 1 });
    await t.send(full, 'fills it');
    await t.send(source, 'a', { ttl: 60_000 });
    const leased = await t.takeOne(source);
    const receipt = receiptOf(source, leased);
    const [outcome] = await t.driver.move([{ receipt, targets: [open, full], death: REJECTED }]);
    assert.deepEqual(outcome, { status: 'full', queue: 'full' });
    assert.deepEqual(await t.get(leased.id), leased);
    assert.deepEqual(await t.states(open), { ready: 0, scheduled: 0, leased: 0 });
    await t.settle(source, leased);
  },

  'G8 a move to a full queue that drops its oldest succeeds': async (t) => {
    const source = await t.createQueue('source');
    const full = await t.createQueue('full', { maxSize: 2, overflow: 'drop-oldest' });
    await t.sendAll(full, ['oldest', 'older']);
    await t.send(source, 'a');
    assert.equal((await moveNext(t, source, [full])).status, 'moved');
    assert.deepEqual(await t.takeTexts(full), ['older', 'a']);
  },

  'a move to a deleted queue changes nothing': async (t) => {
    const source = await t.createQueue('source');
    const gone = await t.createQueue('gone');
    await t.deleteQueue(gone);
    await t.send(source, 'a');
    const leased = await t.takeOne(source);
    const receipt = receiptOf(source, leased);
    const outcome = await t.driver.move([{ receipt, targets: [gone] }]);
    assert.deepEqual(outcome, [{ status: 'missing', queue: 'gone' }]);
    await t.settle(source, leased);
  },

  'G12 a move bypasses deduplication': async (t) => {
    const window = { deduplicationWindow: 60_000 };
    const source = await t.createQueue('source', window);
    const target = await t.createQueue('target', window);
    await t.send(source, 'a', { deduplicationId: 'd' });
    await t.send(target, 'b', { deduplicationId: 'd' });
    await moveNext(t, source, [target]);
    await moveNext(t, target, [source]);
    assert.deepEqual(await t.takeTexts(target), ['a']);
    assert.deepEqual(await t.takeTexts(source), ['b']);
    const again = await t.publish([source], newMessage('c', { deduplicationId: 'd' }));
    assert.equal(again.status, 'duplicate', 'the record of the send stays');
  },

  'G13 each move is answered for itself': async (t) => {
    const source = await t.createQueue('source');
    const one = await t.createQueue('one', { maxSize: 1 });
    await t.sendAll(source, ['a', 'b', 'c']);
    const [a, b, c] = (await t.take(source)).map((leased) => receiptOf(source, leased));
    const outcomes = await t.driver.move([
      { receipt: { ...a!, token: -1 }, targets: [one] },
      { receipt: b!, targets: [one] },
      { receipt: c!, targets: [one] },
      { receipt: b!, targets: [] },
    ]);
    assert.deepEqual(outcomes, [
      { status: 'lost' },
      { status: 'moved', ids: [b!.id] },
      { status: 'full', queue: 'one' },
      { status: 'lost' },
    ]);
    assert.deepEqual(await t.driver.settle([a!, c!]), []);
  },
};
