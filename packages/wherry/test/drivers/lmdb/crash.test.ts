import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeasedMessage, SweptMessage } from '../../../src/core/driver.ts';
import { kill, startChild } from './children.ts';
import { bodies, Fixture } from './fixture.ts';

const TEXTS = ['1', '2', '3', '4', '5'];

test('G6 what a killed process was handed counts, and comes again one at a time', async (t) => {
  const fixture = await Fixture.create(t);
  const queue = await fixture.createQueue('queue');
  await fixture.publish(queue, ...TEXTS.map((body) => ({ body })));
  await fixture.driver.close();
  const { child, answer } = await startChild('deliver', fixture.path);
  await kill(child);
  const delivered = answer as LeasedMessage[];
  assert.deepEqual(bodies(delivered), TEXTS);

  await fixture.driver.open();
  assert.equal((await fixture.driver.counts(queue)).leased, TEXTS.length);
  assert.deepEqual(await fixture.take(queue), []);
  const late = delivered.map(({ id, lease }) => ({ queue, id, token: lease.token }));
  assert.deepEqual(await fixture.driver.settle(late), [0, 1, 2, 3, 4], 'their holder is fenced');

  const { messages } = await fixture.driver.sweep(10);
  assert.deepEqual(
    messages.map(({ cause }) => cause),
    TEXTS.map(() => 'lease-expired'),
  );
  const release = ({
    id,
    lease,
  }: SweptMessage): Parameters<typeof fixture.driver.release>[0][0] => ({
    receipt: { queue, id, token: lease.token },
    delay: 0,
    as: 'retry',
    suspect: true,
  });
  await fixture.driver.release(messages.map(release));
  await fixture.publish(queue, { body: 'new' });
  await fixture.reopen();

  const [first, ...others] = await fixture.take(queue);
  assert.deepEqual([first!.body, first!.deliveryCount, others.length], ['1', 2, 0]);
  assert.deepEqual(bodies(await fixture.take(queue)), ['new'], 'who is no suspect passes');
  await fixture.driver.settle([{ queue, id: first!.id, token: first!.lease.token }]);
  assert.deepEqual(bodies(await fixture.take(queue)), ['2'], 'then the next suspect');
});

test('G11 a group that waited for a lease that did not survive goes on', async (t) => {
  const fixture = await Fixture.create(t);
  const queue = await fixture.createQueue('queue');
  const message = { groupId: 'g', ttl: 100 };
  await fixture.publish(queue, { groupId: 'g', body: '1' }, { ...message, body: '2' });
  await fixture.publish(queue, { groupId: 'g', body: '3' });
  const [head] = await fixture.take(queue);
  fixture.clock.advance(100);
  // The sweeper holds the second, which has expired; its lease is in memory only.
  const { messages } = await fixture.driver.sweep(10);
  assert.deepEqual(bodies(messages), ['2']);
  await fixture.driver.settle([{ queue, id: head!.id, token: head!.lease.token }]);
  assert.deepEqual(await fixture.take(queue), [], 'it waits for the sweeper');
  await fixture.reopen();
  const again = await fixture.driver.sweep(10);
  assert.deepEqual(bodies(again.messages), ['2']);
  await fixture.driver.settle(
    again.messages.map(({ id, lease }) => ({ queue, id, token: lease.token })),
  );
  assert.deepEqual(bodies(await fixture.take(queue)), ['3']);
});

test('a large queue that was deleted is gone at once, and its records later', async (t) => {
  const fixture = await Fixture.create(t);
  const queue = await fixture.createQueue('queue');
  const many = Array.from({ length: 5_000 }, (_, at) => ({ ttl: 1_000, priority: at % 3 }));
  const [id] = await fixture.publish(queue, ...many);
  const deleted = await fixture.driver.deleteQueue(queue, { onlyIfEmpty: false });
  assert.deepEqual(deleted, { deleted: true, messages: many.length });
  assert.equal(await fixture.driver.get(id!), null);
  // Closed before it is done, and opened again: it goes on.
  await fixture.reopen();
  fixture.clock.advance(1_000);
  assert.deepEqual((await fixture.driver.sweep(10)).messages, []);
  await fixture.reopen();
  const emptied = async (): Promise<number> => {
    let left = 0;
    await fixture.behindItsBack(({ messages, expiry, graveyard }) => {
      left = messages.getCount() + expiry.getCount() + graveyard.getCount();
    });
    await fixture.driver.open();
    return left;
  };
  let left = await emptied();
  for (let rounds = 0; left > 0 && rounds < 100; rounds++) left = await emptied();
  assert.equal(left, 0);
});
