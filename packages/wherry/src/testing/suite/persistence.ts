import assert from 'node:assert/strict';
import type { AspectTests, NeedyTest, SuiteNeed } from './aspect.ts';
import {
  type Fixture,
  LEASE_MS,
  newMessage,
  receiptOf,
  type StoredOutcome,
  textsOf,
} from './fixture.ts';

type Restart = (fixture: Fixture) => Promise<void>;

/** What must hold after an orderly close as well as after a crash. */
const AFTER_RESTART: Readonly<
  Record<string, (fixture: Fixture, restart: Restart) => Promise<void>>
> = {
  'G1 everything stored is there again, as it was': async (t, restart) => {
    const queue = await t.createQueue('everything');
    await t.sendAll(queue, ['a', 'b'], { groupId: 'g' });
    await t.send(queue, 'high', { priority: 9, properties: { headers: { h: 'v' } } });
    await t.send(queue, 'delayed', { delay: 5_000, ttl: 1_000 });
    const bytes = Uint8Array.of(0, 255, 1);
    await t.send(queue, '', { encoding: 'bytes', body: bytes, bytes: 3 });
    const route = { exchange: 'x', routingKeys: ['k'], toExchange: 'y', toRoutingKeys: ['k', 'l'] };
    const death = { queue: 'before', reason: 'rejected', time: 7, count: 1, route } as const;
    await t.send(queue, '', { encoding: 'amqp', body: bytes, bytes: 3, deaths: [death] });
    const leased = await t.takeOne(queue, { max: 1 });
    await t.release(queue, leased, { delay: 700 });
    const ready = await t.browse(queue, 'ready');
    const scheduled = await t.browse(queue, 'scheduled');
    const counts = await t.driver.counts(queue);
    await restart(t);
    assert.deepEqual(await t.browse(queue, 'ready'), ready);
    assert.deepEqual(await t.browse(queue, 'scheduled'), scheduled);
    assert.deepEqual(await t.driver.counts(queue), counts);
  },

  'G2 what was settled does not come back': async (t, restart) => {
    const queue = await t.createQueue('settled');
    await t.sendAll(queue, ['a', 'b']);
    const leased = await t.takeOne(queue);
    await t.settle(queue, leased);
    await restart(t);
    assert.deepEqual(await t.takeTexts(queue), ['b']);
  },

  'G5 order goes on where it was': async (t, restart) => {
    const queue = await t.createQueue('order');
    await t.sendAll(queue, ['a', 'b', 'c']);
    const [a] = await t.take(queue, { max: 2 });
    await t.release(queue, a!, { as: 'unstarted' });
    await restart(t);
    await t.send(queue, 'd');
    assert.deepEqual(await t.takeTexts(queue), ['a', 'c', 'd']);
  },

  "G6 a bound holder's leases have ended, and count when the sweeper has decided": async (
    t,
    restart,
  ) => {
    const queue = await t.createQueue('bound');
    await t.sendAll(queue, ['a', 'b', 'c']);
    const [a, b] = await t.take(queue, { max: 2, bound: true });
    await t.settle(queue, b!);
    await restart(t);
    assert.deepEqual(await t.driver.settle([receiptOf(queue, a!)]), [0], 'G4 its token is void');
    const [swept, ...rest] = await t.sweep();
    assert.deepEqual(rest, []);
    assert.equal(swept?.id, a!.id);
    assert.equal(swept.cause, 'lease-expired');
    assert.equal(swept.deliveryCount, 1);
    await t.release(queue, swept, { suspect: true });
    await t.send(queue, 'd');
    assert.deepEqual(await t.takeTexts(queue), ['a'], 'a suspect comes alone');
  },

  'G6 deliveries are counted across restarts without gap or reset': async (t, restart) => {
    const queue = await t.createQueue('counting');
    await t.send(queue, 'poison');
    for (let delivery = 1; delivery <= 4; delivery += 1) {
      const leased = await t.takeOne(queue, { bound: true });
      assert.equal(leased.deliveryCount, delivery);
      assert.equal(leased.retryCount, delivery - 1);
      await restart(t);
      const [swept] = await t.sweep();
      assert.equal(swept?.deliveryCount, delivery);
      await t.release(queue, swept, { suspect: true });
    }
  },

  'G6 what was not begun does not count after a restart': async (t, restart) => {
    const queue = await t.createQueue('unstarted');
    const [id] = await t.sendAll(queue, ['a', 'b']);
    const [a] = await t.take(queue, { bound: true });
    await t.release(queue, a!, { as: 'unstarted' });
    await restart(t);
    assert.deepEqual(textsOf(await t.sweep()), ['b']);
    assert.equal((await t.get(id!)).deliveryCount, 0);
  },

  "G3 G4 an unbound holder's lease goes on with its token": async (t, restart) => {
    const queue = await t.createQueue('unbound');
    await t.sendAll(queue, ['a', 'b', 'c']);
    const batch = await t.take(queue);
    const [a, b, c] = batch.map((leased) => receiptOf(queue, leased));
    await t.driver.extend([{ receipt: b!, leaseDuration: 2 * LEASE_MS }]);
    await restart(t);
    assert.deepEqual(await t.sweep(), []);
    assert.deepEqual(await t.take(queue), []);
    assert.deepEqual(await t.driver.settle([a!]), []);
    const { lease } = await t.get(b!.id);
    const expected = { ...batch[1]!.lease, until: t.clock.now() + 2 * LEASE_MS };
    assert.deepEqual(lease, expected);
    t.clock.advance(LEASE_MS);
    assert.deepEqual(textsOf(await t.sweep()), ['c']);
    assert.deepEqual(await t.driver.settle([b!]), []);
    assert.deepEqual(await t.driver.settle([c!]), [0]);
  },

  'G4 tokens are not given out a second time after a restart': async (t, restart) => {
    const queue = await t.createQueue('tokens');
    await t.send(queue, 'a');
    const before = await t.takeOne(queue);
    await t.release(queue, before);
    await restart(t);
    const after = await t.takeOne(queue);
    assert.notEqual(after.lease.token, before.lease.token);
    assert.deepEqual(await t.driver.settle([receiptOf(queue, before)]), [0]);
    await t.settle(queue, after);
  },

  'G7 a moved message is where it was moved to, with its deaths': async (t, restart) => {
    const source = await t.createQueue('source');
    const dead = await t.createQueue('dead');
    await t.send(source, 'a');
    const receipt = receiptOf(source, await t.takeOne(source, { bound: true }));
    const death = { queue: 'source', reason: 'rejected', error: 'e', stack: 's' } as const;
    await t.driver.move([{ receipt, targets: [dead], death }]);
    const moved = await t.get(receipt.id);
    await restart(t);
    assert.deepEqual(await t.get(receipt.id), moved);
    assert.deepEqual(await t.sweep(), []);
    assert.deepEqual(await t.states(source), { ready: 0, scheduled: 0, leased: 0 });
    assert.deepEqual(await t.takeTexts(dead), ['a']);
  },

  'G9 time that passed while it was closed counts': async (t, restart) => {
    const queue = await t.createQueue('time');
    await t.send(queue, 'ttl', { ttl: 100 });
    await t.send(queue, 'delayed', { delay: 100 });
    t.clock.advance(99);
    await restart(t);
    assert.deepEqual(await t.sweep(), []);
    t.clock.advance(1);
    await restart(t);
    assert.deepEqual(await t.takeTexts(queue), ['delayed']);
    assert.deepEqual(textsOf(await t.sweep()), ['ttl']);
  },

  'what a sweeper held when it ended is swept again': async (t, restart) => {
    const queue = await t.createQueue('sweeper');
    await t.sendAll(queue, ['g1', 'g2'], { groupId: 'g', ttl: LEASE_MS });
    await t.send(queue, 'leased', { priority: 1 });
    await t.takeOne(queue);
    t.clock.advance(LEASE_MS);
    const summary = async (): Promise<string[]> =>
      (await t.sweep()).map(({ body, cause }) => `${body as string} ${cause}`).toSorted();
    const expected = ['g1 expired', 'g2 expired', 'leased lease-expired'];
    assert.deepEqual(await summary(), expected);
    await restart(t);
    assert.deepEqual(await summary(), expected);
  },

  'G11 groups stay in order, back-offs block them still': async (t, restart) => {
    const queue = await t.createQueue('groups');
    await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g' });
    await t.sendAll(queue, ['h1', 'h2'], { groupId: 'h' });
    const [g1, h1] = await t.take(queue, { bound: true });
    await t.release(queue, g1!, { delay: 1_000 });
    await restart(t);
    assert.deepEqual(await t.take(queue), [], 'h1 is for the sweeper to decide about');
    const [swept] = await t.sweep();
    assert.equal(swept?.id, h1!.id);
    await t.settle(queue, swept);
    assert.deepEqual(await t.takeTexts(queue), ['h2']);
    t.clock.advance(1_000);
    const again = await t.takeOne(queue);
    assert.equal(again.id, g1!.id);
    await t.settle(queue, again);
    assert.deepEqual(await t.takeTexts(queue), ['g2']);
  },

  'G11 a group has its slots again': async (t, restart) => {
    const queue = await t.createQueue('slots', { groupMaxInFlight: 2 });
    await t.sendAll(queue, ['g1', 'g2', 'g3', 'g4', 'g5'], { groupId: 'g' });
    const [g1, g2] = await t.take(queue);
    await t.release(queue, g1!, { delay: 1_000 });
    await restart(t);
    assert.deepEqual(await t.take(queue), [], 'g1 backs off, g2 is held');
    await t.settle(queue, g2!);
    assert.deepEqual(await t.takeTexts(queue), ['g3']);
    t.clock.advance(1_000);
    await restart(t);
    assert.deepEqual(await t.takeTexts(queue), ['g1']);
    await t.send(queue, 'g6', { groupId: 'g', delay: 1_000 });
    await restart(t);
    assert.deepEqual(await t.take(queue), []);
  },

  'limits: what a rate has let go is spent still': async (t, restart) => {
    const rate = { max: 2, per: 60_000 };
    const limits = {
      groupMaxInFlight: 9,
      rateLimit: { max: 5, per: 60_000 },
      groupRateLimit: rate,
    };
    const queue = await t.createQueue('rate', limits);
    await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g' });
    await t.sendAll(queue, ['h1', 'h2', 'h3'], { groupId: 'h' });
    assert.deepEqual(await t.takeTexts(queue, { max: 3 }), ['g1', 'g2', 'h1']);
    t.clock.advance(10_000);
    await restart(t);
    const { messages, retryIn } = await t.takeResult(queue);
    assert.deepEqual([textsOf(messages), retryIn], [['h2'], 20_000]);
    await restart(t);
    assert.equal((await t.takeResult(queue)).retryIn, 20_000);
    t.clock.advance(20_000);
    assert.deepEqual(await t.takeTexts(queue), ['g3', 'h3']);
    await t.sendAll(queue, ['a', 'b']);
    assert.deepEqual(await t.takeTexts(queue), ['a']);
  },

  'G12 fences hold': async (t, restart) => {
    const queue = await t.createQueue('fence');
    const send = async (value: number): Promise<string> =>
      (await t.publish([queue], newMessage('m', { fence: { key: 'k', value } }))).status;
    assert.equal(await send(2 ** 40), 'stored');
    await restart(t);
    assert.equal(await send(2 ** 40), 'duplicate');
    assert.equal(await send(2 ** 40 + 1), 'stored');
  },

  'G12 with keepLast what waits is replaced still, what was leased is not': async (t, restart) => {
    const queue = await t.createQueue('last');
    const send = (text: string, deduplicationId: string) =>
      t.publish([queue], newMessage(text, { deduplicationId, keepLast: true }));
    const first = await send('first', 'd');
    await send('leased', 'e');
    const leased = await t.takeOne(queue, {
      ids: [((await send('leased', 'e')) as StoredOutcome).id],
    });
    await restart(t);
    assert.deepEqual(await send('second', 'd'), { ...first, status: 'replaced' });
    assert.equal((await send('new', 'e')).status, 'stored');
    await t.release(queue, leased, { as: 'unstarted' });
    await restart(t);
    assert.equal((await send('newer', 'e')).status, 'replaced');
    assert.deepEqual(await t.takeTexts(queue), ['second', 'leased', 'newer']);
  },

  'G12 what was sent is remembered': async (t, restart) => {
    const queue = await t.createQueue('dedup', { deduplicationWindow: 1_000 });
    const id = await t.send(queue, 'a', { deduplicationId: 'd' });
    await t.settle(queue, await t.takeOne(queue));
    await restart(t);
    t.clock.advance(999);
    const message = newMessage('b', { deduplicationId: 'd' });
    assert.deepEqual(await t.publish([queue], message), { status: 'duplicate', id });
    t.clock.advance(1);
    await t.send(queue, 'c', { deduplicationId: 'd' });
  },

  'G8 bounds go on counting': async (t, restart) => {
    const queue = await t.createQueue('bounds', { maxSize: 2, maxBytes: 10 });
    await t.send(queue, 'a', { bytes: 5 });
    await t.takeOne(queue, { bound: true });
    await restart(t);
    const big = newMessage('big', { bytes: 6 });
    assert.equal((await t.publish([queue], big)).status, 'full');
    await t.send(queue, 'b', { bytes: 5 });
    assert.equal((await t.publish([queue], newMessage(''))).status, 'full');
  },

  'parked messages stay parked': async (t, restart) => {
    const queue = await t.createQueue('parked');
    const id = await t.send(queue, 'a');
    const parked = { queue: 'parked', reason: 'rejected' } as const;
    const leased = await t.takeOne(queue);
    await t.release(queue, leased, { as: 'unstarted', delay: Infinity, parked });
    await restart(t);
    t.clock.advance(1e12);
    assert.deepEqual(await t.take(queue), []);
    assert.deepEqual((await t.takeOne(queue, { ids: [id] })).parked, parked);
  },

  'topology is there again, numbers are not reused': async (t, restart) => {
    const { topology } = t.driver;
    const kept = await topology.put({ kind: 'k', name: 'kept', value: { a: [1] } }, 0);
    const gone = await topology.put({ kind: 'k', name: 'gone', value: 1 }, 0);
    await topology.remove('k', 'gone', 1);
    const deleted = await t.createQueue('deleted');
    await t.send(deleted, 'a');
    await t.deleteQueue(deleted);
    await restart(t);
    assert.deepEqual(await t.driver.topology.load(), [kept]);
    const again = await t.createQueue('deleted');
    assert.ok(![kept!.number, gone!.number, deleted.number].includes(again.number));
    assert.deepEqual(await t.take(again), []);
    assert.equal((await t.publish([deleted], newMessage('m'))).status, 'missing');
    const changed = await t.driver.topology.put({ kind: 'k', name: 'kept', value: 2 }, 1);
    assert.equal(changed?.version, 2);
  },
};

function named(suffix: string, needs: SuiteNeed, restart: Restart): AspectTests {
  const tests = Object.entries(AFTER_RESTART).map(([title, body]) => {
    const test: NeedyTest = { needs, body: (fixture) => body(fixture, restart) };
    return [`${title} (${suffix})`, test] as const;
  });
  return Object.fromEntries(tests);
}

export const persistenceTests: AspectTests = {
  ...named('after a reopen', 'reopen', (t) => t.reopen()),
  ...named('after a crash', 'crash', (t) => t.crash()),
};
