import assert from 'node:assert/strict';
import type { QueueRef } from '../../core/driver.ts';
import type { AspectTests } from './aspect.ts';
import { type Fixture, newMessage, receiptOf, type StoredOutcome } from './fixture.ts';

/** What is stored of these messages, in order. */
async function prioritiesOf(t: Fixture, ids: readonly string[]): Promise<number[]> {
  const priorities: number[] = [];
  for (const id of ids) priorities.push((await t.get(id)).priority);
  return priorities;
}

/** Takes the next of `source` and moves it. @returns the ids */
async function moveNext(
  t: Fixture,
  source: QueueRef,
  targets: readonly QueueRef[],
): Promise<readonly string[]> {
  const receipt = receiptOf(source, await t.takeOne(source));
  const [outcome] = await t.driver.move([{ receipt, targets }]);
  assert.ok(outcome?.status === 'moved');
  return outcome.ids;
}

/** `QueueRef.maxPriority`. */
export const priorityTests: AspectTests = {
  'G5 a higher priority than the queue has counts as its highest': async (t) => {
    const queue = await t.createQueue('three', { maxPriority: 3 });
    await t.send(queue, 'a', { priority: 9 });
    await t.send(queue, 'b', { priority: 2 });
    await t.send(queue, 'c', { priority: 3 });
    await t.send(queue, 'd', { priority: 255 });
    await t.sendAll(queue, ['e', 'f'], { priority: 4 });
    assert.deepEqual(await t.takeTexts(queue), ['a', 'c', 'd', 'e', 'f', 'b']);
  },

  'what is sent with a higher priority than the queue has is stored with its highest': async (
    t,
  ) => {
    const queue = await t.createQueue('two', { maxPriority: 2, deduplicationWindow: 60_000 });
    const none = await t.createQueue('none', { maxPriority: 0 });
    const before = await t.send(none, 'before');
    await t.settle(none, await t.takeOne(none));
    const higher = [
      ...(await t.sendAll(queue, ['a', 'b'], { priority: 3 })),
      await t.send(queue, 'delayed', { priority: 200, delay: 50 }),
      await t.send(queue, 'grouped', { priority: 255, groupId: 'g' }),
      await t.send(queue, 'once', { priority: 4, deduplicationId: 'd' }),
      await t.send(queue, 'last', { priority: 5, deduplicationId: 'l', keepLast: true }),
      await t.send(queue, 'named', { priority: 6, id: before }),
    ];
    assert.deepEqual(
      await prioritiesOf(t, higher),
      higher.map(() => 2),
    );
    const others = [
      await t.send(queue, 'c', { priority: 2 }),
      await t.send(queue, 'd', { priority: 1 }),
      await t.send(queue, 'e'),
      await t.send(none, 'f', { priority: 1 }),
    ];
    assert.deepEqual(await prioritiesOf(t, others), [2, 1, 0, 0]);
  },

  'each queue of a fan-out stores what it has of the priority': async (t) => {
    const targets = [
      await t.createQueue('five', { maxPriority: 5 }),
      await t.createQueue('all'),
      await t.createQueue('one', { maxPriority: 1 }),
    ];
    const outcome = await t.publish(targets, newMessage('m', { priority: 77 }));
    const { ids } = outcome as StoredOutcome;
    assert.deepEqual(await prioritiesOf(t, ids!), [5, 77, 1]);
  },

  'a moved message keeps what its target has of its priority': async (t) => {
    const source = await t.createQueue('source');
    const four = await t.createQueue('four', { maxPriority: 4 });
    const two = await t.createQueue('two', { maxPriority: 2 });
    const id = await t.send(source, 'a', { priority: 9 });
    const ids = await moveNext(t, source, [four, two]);
    assert.equal(ids[0], id);
    assert.deepEqual(await prioritiesOf(t, ids), [4, 2]);
    await moveNext(t, four, [source]);
    assert.deepEqual(await prioritiesOf(t, [id]), [4], 'nobody remembers the first one');
  },

  'what is dropped keeps what the dead letters have of its priority': async (t) => {
    const dead = await t.createQueue('dead', { maxPriority: 3 });
    const limits = { maxSize: 2, overflow: 'drop-oldest', evictTo: dead } as const;
    const queue = await t.createQueue('dropping', limits);
    const old = await t.sendAll(queue, ['a', 'b'], { priority: 8 });
    await t.sendAll(queue, ['c', 'd'], { priority: 8 });
    for (const id of old) assert.equal((await t.get(id)).queueName, 'dead');
    assert.deepEqual(await prioritiesOf(t, old), [3, 3]);
  },

  'a lower highest priority concerns what arrives from then on': async (t) => {
    const queue = await t.createQueue('lowered');
    const before = await t.send(queue, 'before', { priority: 9 });
    const lowered = { ...queue, maxPriority: 1 };
    const after = await t.send(lowered, 'after', { priority: 9 });
    assert.deepEqual(await prioritiesOf(t, [before, after]), [9, 1]);
    const leased = await t.takeOne(lowered, { ids: [before] });
    await t.release(lowered, leased, { as: 'requeue' });
    assert.deepEqual(await prioritiesOf(t, [before]), [9], 'it comes back, it does not arrive');
  },
};
