import assert from 'node:assert/strict';
import type { Receipt } from '../../core/driver.ts';
import type { AspectTests } from './aspect.ts';
import { type Fixture, LEASE_MS, receiptOf } from './fixture.ts';

/** Tries every operation with a token that proves nothing, and checks that nothing came of it. */
async function assertFenced(t: Fixture, receipt: Receipt): Promise<void> {
  const before = await t.driver.get(receipt.id);
  const counts = await t.driver.counts(receipt.queue);
  const { queue } = receipt;
  assert.deepEqual(await t.driver.settle([receipt]), [0], 'settle');
  assert.deepEqual(await t.driver.release([{ receipt, delay: 0, as: 'retry' }]), [0], 'release');
  assert.deepEqual(await t.driver.extend([{ receipt, leaseDuration: 1e6 }]), [0], 'extend');
  const moved = await t.driver.move([{ receipt, targets: [queue] }]);
  assert.deepEqual(moved, [{ status: 'lost' }], 'move');
  assert.deepEqual(await t.driver.get(receipt.id), before);
  assert.deepEqual(await t.driver.counts(queue), counts);
}

export const settleTests: AspectTests = {
  'G2 a settled message is gone, and only that one': async (t) => {
    const queue = await t.createQueue('settle');
    const ids = await t.sendAll(queue, ['a', 'b', 'c']);
    const [a, b] = await t.take(queue, { max: 2 });
    await t.settle(queue, b!);
    assert.equal(await t.driver.get(ids[1]!), null);
    assert.deepEqual(await t.states(queue), { ready: 1, scheduled: 0, leased: 1 });
    await t.settle(queue, a!);
    assert.deepEqual(await t.takeTexts(queue), ['c']);
  },

  'G4 a token that was never given out is fenced': async (t) => {
    const queue = await t.createQueue('wrong-token');
    const other = await t.createQueue('other');
    await t.sendAll(queue, ['a', 'b']);
    const [a, b] = await t.take(queue);
    await assertFenced(t, { ...receiptOf(queue, a!), token: b!.lease.token });
    await assertFenced(t, { ...receiptOf(queue, a!), token: 0 });
    await assertFenced(t, { ...receiptOf(queue, a!), queue: other });
    await t.settle(queue, a!);
  },

  'G4 a message that is not leased, or not stored, has no token': async (t) => {
    const queue = await t.createQueue('no-lease');
    const id = await t.send(queue, 'ready');
    await assertFenced(t, { queue, id, token: 1 });
    const delayed = await t.send(queue, 'delayed', { delay: 5 });
    await assertFenced(t, { queue, id: delayed, token: 1 });
    await assertFenced(t, { queue, id: 'a'.repeat(32), token: 1 });
  },

  'G4 a lease ends at its time: a late token is fenced though nobody took it since': async (t) => {
    const queue = await t.createQueue('late');
    await t.send(queue, 'a');
    const leased = await t.takeOne(queue);
    t.clock.advance(LEASE_MS);
    await assertFenced(t, receiptOf(queue, leased));
  },

  'G3 a lease holds until just before its time': async (t) => {
    const queue = await t.createQueue('just-in-time');
    await t.send(queue, 'a');
    const leased = await t.takeOne(queue);
    t.clock.advance(LEASE_MS - 1);
    assert.deepEqual(await t.sweep(), []);
    await t.settle(queue, leased);
  },

  'G4 the token before is fenced once the message is leased again': async (t) => {
    const queue = await t.createQueue('again');
    await t.send(queue, 'a');
    const first = await t.takeOne(queue);
    await t.release(queue, first);
    await assertFenced(t, receiptOf(queue, first));
    const second = await t.takeOne(queue);
    await assertFenced(t, receiptOf(queue, first));
    await t.settle(queue, second);
    await assertFenced(t, receiptOf(queue, second));
  },

  'G4 the holder is fenced once the sweeper has the message': async (t) => {
    const queue = await t.createQueue('swept');
    await t.send(queue, 'a');
    const leased = await t.takeOne(queue);
    t.clock.advance(LEASE_MS);
    const [swept] = await t.sweep();
    await assertFenced(t, receiptOf(queue, leased));
    await t.settle(queue, swept!);
  },

  'G13 lost receipts are named by index, the others are settled': async (t) => {
    const queue = await t.createQueue('indexes');
    await t.sendAll(queue, ['a', 'b', 'c']);
    const [a, b, c] = (await t.take(queue)).map((leased) => receiptOf(queue, leased));
    const lost = await t.driver.settle([{ ...a!, token: -1 }, b!, b!, c!]);
    assert.deepEqual(lost, [0, 2]);
    assert.deepEqual(await t.states(queue), { ready: 0, scheduled: 0, leased: 1 });
  },

  'G3 an extended lease ends later, counted from now': async (t) => {
    const queue = await t.createQueue('extend');
    const id = await t.send(queue, 'a');
    const leased = await t.takeOne(queue, { leaseDuration: 1_000 });
    const receipt = receiptOf(queue, leased);
    t.clock.advance(600);
    assert.deepEqual(await t.driver.extend([{ receipt, leaseDuration: 1_000 }]), []);
    const { lease } = await t.get(id);
    assert.deepEqual(lease, { ...leased.lease, until: t.clock.now() + 1_000 });
    t.clock.advance(999);
    assert.deepEqual(await t.sweep(), []);
    t.clock.advance(1);
    await assertFenced(t, receipt);
    assert.equal((await t.sweep()).length, 1);
  },

  'G13 an extension names the lost by index': async (t) => {
    const queue = await t.createQueue('extend-batch');
    await t.sendAll(queue, ['a', 'b']);
    const [a, b] = (await t.take(queue)).map((leased) => receiptOf(queue, leased));
    await t.driver.settle([a!]);
    const items = [a!, b!].map((receipt) => ({ receipt, leaseDuration: 90_000 }));
    assert.deepEqual(await t.driver.extend(items), [0]);
    t.clock.advance(LEASE_MS);
    assert.deepEqual(await t.driver.settle([b!]), []);
  },
};
