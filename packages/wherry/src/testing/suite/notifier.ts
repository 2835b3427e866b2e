import assert from 'node:assert/strict';
import type { QueueRef } from '../../core/driver.ts';
import type { AspectTests } from './aspect.ts';
import { eventually, type Fixture, newMessage, receiptOf } from './fixture.ts';

/** Runs an action and waits until the queue's subscribers were told. */
async function expectNotice(
  t: Fixture,
  queue: QueueRef,
  what: 'ready' | 'room',
  action: () => Promise<unknown>,
): Promise<void> {
  let isTold = false;
  const stop = t.driver.notifier.subscribe((queueNumber, told) => {
    if (queueNumber === queue.number && told === what) isTold = true;
  });
  await action();
  await eventually(() => isTold);
  stop();
}

export const notifierTests: AspectTests = {
  'takers are told of what becomes ready': async (t) => {
    const queue = await t.createQueue('queue');
    const dead = await t.createQueue('dead');
    await expectNotice(t, queue, 'ready', () => t.send(queue, 'a'));
    const leased = await t.takeOne(queue);
    await expectNotice(t, queue, 'ready', () => t.release(queue, leased));
    const again = await t.takeOne(queue);
    await expectNotice(t, dead, 'ready', () =>
      t.driver.move([{ receipt: receiptOf(queue, again), targets: [dead] }]),
    );
    await t.send(queue, 'delayed', { delay: 10 });
    t.clock.advance(10);
    await expectNotice(t, queue, 'ready', () => t.sweep());
  },

  'takers are told when a group goes on': async (t) => {
    const queue = await t.createQueue('queue');
    await t.sendAll(queue, ['g1', 'g2'], { groupId: 'g' });
    const g1 = await t.takeOne(queue);
    await expectNotice(t, queue, 'ready', () => t.settle(queue, g1));
  },

  'takers are told when a lease ends that kept others from going': async (t) => {
    const queue = await t.createQueue('queue', { maxInFlight: 1 });
    await t.sendAll(queue, ['a', 'b', 'c']);
    const a = await t.takeOne(queue);
    await expectNotice(t, queue, 'ready', () => t.settle(queue, a));
    const b = await t.takeOne(queue);
    await expectNotice(t, queue, 'ready', () => t.release(queue, b, { delay: 1_000 }));
    const c = receiptOf(queue, await t.takeOne(queue));
    await t.send(queue, 'd');
    await expectNotice(t, queue, 'ready', () => t.driver.move([{ receipt: c, targets: [] }]));
    await t.takeOne(queue, { leaseDuration: 10 });
    await t.send(queue, 'e');
    t.clock.advance(10);
    const [swept] = await t.sweep();
    await expectNotice(t, queue, 'ready', () => t.settle(queue, swept!));
  },

  'takers are told when a lease ends that left its group no slot': async (t) => {
    const queue = await t.createQueue('queue', { groupMaxInFlight: 2 });
    await t.sendAll(queue, ['g1', 'g2', 'g3'], { groupId: 'g' });
    const g1 = await t.takeOne(queue);
    const narrow = { ...queue, groupMaxInFlight: 1 };
    assert.deepEqual(await t.take(narrow), []);
    await expectNotice(t, queue, 'ready', () => t.settle(narrow, g1));
  },

  'takers are told when the next suspect may go': async (t) => {
    const queue = await t.createQueue('queue');
    await t.sendAll(queue, ['a', 'b']);
    for (const one of await t.take(queue)) await t.release(queue, one, { suspect: true });
    const a = await t.takeOne(queue);
    assert.deepEqual(await t.take(queue), []);
    await expectNotice(t, queue, 'ready', () => t.settle(queue, a));
  },

  'senders are told of room': async (t) => {
    const limits = { maxSize: 2, overflow: 'drop-oldest' } as const;
    const queue = await t.createQueue('queue', limits);
    await t.sendAll(queue, ['a', 'b']);
    await expectNotice(t, queue, 'room', () => t.send(queue, 'c'));
    const [b, c] = await t.take(queue);
    await expectNotice(t, queue, 'room', () => t.settle(queue, b!));
    await expectNotice(t, queue, 'room', () =>
      t.driver.move([{ receipt: receiptOf(queue, c!), targets: [] }]),
    );
    await t.send(queue, 'd');
    await expectNotice(t, queue, 'room', () => t.driver.purge(queue));
    const waiting = await t.createQueue('waiting', { maxSize: 2, boundOn: 'waiting' });
    await t.sendAll(waiting, ['a', 'b']);
    const { status } = await t.publish([waiting], newMessage('c'));
    assert.equal(status, 'full');
    await expectNotice(t, waiting, 'room', () => t.take(waiting));
  },

  'who unsubscribed is told nothing': async (t) => {
    const queue = await t.createQueue('queue');
    let told = 0;
    const stop = t.driver.notifier.subscribe(() => {
      told += 1;
    });
    stop();
    await expectNotice(t, queue, 'ready', () => t.send(queue, 'a'));
    assert.equal(told, 0);
  },
};
