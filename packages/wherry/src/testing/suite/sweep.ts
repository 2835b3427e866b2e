import assert from 'node:assert/strict';
import type { AspectTests } from './aspect.ts';
import { LEASE_MS, receiptOf, textsOf } from './fixture.ts';

const SWEEPER_LEASE_MS = 30_000;

export const sweepTests: AspectTests = {
  'G3 an ended lease goes to the sweeper, with a token of its own': async (t) => {
    const queue = await t.createQueue('ended');
    const id = await t.send(queue, 'a');
    const leased = await t.takeOne(queue);
    t.clock.advance(LEASE_MS);
    const [swept, ...rest] = await t.sweep();
    assert.deepEqual(rest, []);
    assert.equal(swept?.id, id);
    assert.equal(swept.cause, 'lease-expired');
    assert.equal(swept.queue, queue.number);
    assert.equal(swept.lease.consumerId, '#sweeper');
    assert.equal(swept.lease.until, t.clock.now() + SWEEPER_LEASE_MS);
    assert.notEqual(swept.lease.token, leased.lease.token);
    assert.equal(swept.deliveryCount, 1, 'the delivery that was lost');
  },

  'G6 a lost delivery counts once when it is released': async (t) => {
    const queue = await t.createQueue('counts-once');
    const id = await t.send(queue, 'a');
    await t.takeOne(queue);
    t.clock.advance(LEASE_MS);
    const [swept] = await t.sweep();
    await t.release(queue, swept!, { as: 'retry' });
    const { deliveryCount, retryCount } = await t.get(id);
    assert.deepEqual({ deliveryCount, retryCount }, { deliveryCount: 1, retryCount: 1 });
    assert.equal((await t.takeOne(queue)).deliveryCount, 2);
  },

  'two sweepers cannot both act': async (t) => {
    const queue = await t.createQueue('two-sweepers');
    await t.sendAll(queue, ['a', 'b'], { ttl: 5 });
    await t.takeOne(queue, { leaseDuration: 10 });
    t.clock.advance(10);
    assert.equal((await t.sweep()).length, 2);
    assert.deepEqual(await t.sweep(), []);
  },

  "what a sweeper left undone is swept again, with its first cause, when the sweeper's lease ends":
    async (t) => {
      const queue = await t.createQueue('left-undone');
      await t.send(queue, 'leased');
      await t.takeOne(queue);
      await t.send(queue, 'expired', { ttl: LEASE_MS });
      t.clock.advance(LEASE_MS);
      const summary = async (): Promise<string[]> =>
        (await t.sweep())
          .map((one) => `${one.body as string} ${one.cause} ${one.deliveryCount}`)
          .toSorted();
      const expected = ['expired expired 0', 'leased lease-expired 1'];
      assert.deepEqual(await summary(), expected);
      t.clock.advance(SWEEPER_LEASE_MS - 1);
      assert.deepEqual(await summary(), []);
      t.clock.advance(1);
      assert.deepEqual(await summary(), expected);
    },

  'G9 what is past its TTL goes to the sweeper, ready or scheduled': async (t) => {
    const queue = await t.createQueue('ttl');
    await t.send(queue, 'ready', { ttl: 100 });
    await t.send(queue, 'back-off', { ttl: 100, priority: 1 });
    await t.send(queue, 'later', { ttl: 101 });
    await t.send(queue, 'delayed', { ttl: 100, delay: 1 });
    await t.release(queue, await t.takeOne(queue), { delay: 5_000 });
    t.clock.advance(99);
    assert.deepEqual(await t.sweep(), []);
    t.clock.advance(1);
    const swept = await t.sweep();
    assert.deepEqual(textsOf(swept).toSorted(), ['back-off', 'ready']);
    for (const { cause, lease } of swept) {
      assert.equal(cause, 'expired');
      assert.equal(lease.consumerId, '#sweeper');
    }
    await t.driver.settle(swept.map((one) => receiptOf(queue, one)));
    t.clock.advance(1);
    assert.equal((await t.sweep()).length, 2);
  },

  'a sweep answers at most max and says that there is more': async (t) => {
    const queue = await t.createQueue('many');
    const texts = ['a', 'b', 'c', 'd', 'e'];
    await t.sendAll(queue, texts, { ttl: 10 });
    t.clock.advance(10);
    const seen: string[] = [];
    for (const expected of [2, 2, 1]) {
      const { messages, nextIn } = await t.driver.sweep(2);
      assert.equal(messages.length, expected);
      seen.push(...textsOf(messages));
      if (seen.length < 5) assert.equal(nextIn, 0, 'there is more');
      else assert.equal(nextIn, SWEEPER_LEASE_MS);
    }
    assert.deepEqual(seen.toSorted(), texts);
  },

  'of leases that began together a sweep takes at most max, and the next the rest': async (t) => {
    const queue = await t.createQueue('together');
    const texts = ['a', 'b', 'c', 'd', 'e'];
    await t.sendAll(queue, texts);
    const [a] = await t.take(queue);
    await t.settle(queue, a!);
    t.clock.advance(LEASE_MS);
    const seen: string[] = [];
    for (const expected of [3, 1, 0]) {
      const messages = await t.sweep(3);
      assert.equal(messages.length, expected);
      seen.push(...textsOf(messages));
    }
    assert.deepEqual(seen.toSorted(), ['b', 'c', 'd', 'e']);
  },

  'a sweep makes ready what is due': async (t) => {
    const queue = await t.createQueue('due');
    await t.send(queue, 'now', { delay: 100 });
    await t.send(queue, 'later', { delay: 101 });
    t.clock.advance(100);
    await t.sweep();
    assert.deepEqual(await t.states(queue), { ready: 1, scheduled: 1, leased: 0 });
  },

  'a sweep says when to come again, never too late': async (t) => {
    const queue = await t.createQueue('next', { deduplicationWindow: 0 });
    const nextIn = async (): Promise<number> => (await t.driver.sweep(10)).nextIn ?? Infinity;
    assert.equal(await nextIn(), Infinity);
    await t.send(queue, 'delayed', { delay: 9_000 });
    assert.ok((await nextIn()) <= 9_000);
    await t.send(queue, 'ttl', { ttl: 7_000 });
    assert.ok((await nextIn()) <= 7_000);
    await t.takeOne(queue, { leaseDuration: 5_000 });
    const next = await nextIn();
    assert.ok(next > 0 && next <= 5_000);
    t.clock.advance(5_000);
    assert.deepEqual(textsOf(await t.sweep()), ['ttl']);
  },

  'G9 an expired message can be moved to the dead letters by the sweeper': async (t) => {
    const queue = await t.createQueue('source');
    const dead = await t.createQueue('dead');
    await t.send(queue, 'a', { ttl: 10 });
    t.clock.advance(10);
    const [swept] = await t.sweep();
    const receipt = receiptOf(queue, swept!);
    const death = { queue: 'source', reason: 'expired' } as const;
    const [outcome] = await t.driver.move([{ receipt, targets: [dead], death }]);
    assert.equal(outcome?.status, 'moved');
    t.clock.advance(100_000);
    assert.deepEqual(await t.sweep(), []);
    assert.deepEqual(await t.takeTexts(dead), ['a']);
  },
};
