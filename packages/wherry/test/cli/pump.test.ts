import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Delivery, MessageQueueSystem } from '../../src/index.ts';
import { type Handle, pump, release } from '../../src/cli/pump.ts';

async function systemWith(count: number): Promise<MessageQueueSystem> {
  const mq = await MessageQueueSystem.open();
  await mq.createQueue({ name: 'jobs', leaseDuration: '1s' });
  const messages = Array.from({ length: count }, (_, n) => ({ payload: n }));
  await mq.sendBatch('jobs', messages);
  return mq;
}

const options = {
  queue: 'jobs',
  consumerId: 'test',
  max: Infinity,
  concurrency: 4,
  refillAt: 1,
  waitMs: 0,
  signal: new AbortController().signal,
  graceMs: 0,
};

test('the pump never has more in work than its concurrency', async () => {
  const mq = await systemWith(50);
  let running = 0;
  let most = 0;
  await pump(mq, options, async (delivery) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    await delivery.acknowledge();
  });
  assert.equal(most, 4);
  assert.equal((await mq.getQueueInfo('jobs')).messageCount, 0);
  await mq.close();
});

test('the pump gives up what is not done when the grace after the signal is over', async () => {
  const mq = await systemWith(10);
  const interrupt = new AbortController();
  const held: Delivery[] = [];
  const handle: Handle = async (delivery, giveUp) => {
    held.push(delivery);
    if (held.length === 4) interrupt.abort();
    await new Promise<void>((resolve) => giveUp.addEventListener('abort', () => resolve()));
    await release(mq, delivery);
  };
  await pump(mq, { ...options, signal: interrupt.signal }, handle);
  assert.equal(held.length, 4);
  const info = await mq.getQueueInfo('jobs');
  assert.deepEqual([info.ready, info.leased], [10, 0]);
  await mq.close();
});

test('the pump throws the first failure after all that was begun is through', async () => {
  const mq = await systemWith(10);
  const failure = new Error('first');
  let begun = 0;
  let ended = 0;
  const handle: Handle = async (delivery) => {
    const mine = ++begun;
    await new Promise((resolve) => setImmediate(resolve));
    if (mine === 1) {
      await release(mq, delivery);
      throw failure;
    }
    await delivery.acknowledge();
    ended++;
  };
  await assert.rejects(pump(mq, options, handle), failure);
  assert.equal(ended, begun - 1);
  const info = await mq.getQueueInfo('jobs');
  assert.deepEqual([info.leased, info.messageCount], [0, 10 - ended]);
  await mq.close();
});

test('the pump ends when its queue is deleted, and waits for what was begun', async () => {
  const mq = await systemWith(1);
  let settled = false;
  const work = pump(mq, { ...options, waitMs: Infinity }, async (delivery) => {
    await mq.deleteQueue('jobs', { force: true });
    await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(delivery.acknowledge(), { code: 'LEASE_LOST' });
    settled = true;
  });
  await assert.rejects(work, { code: 'QUEUE_NOT_FOUND' });
  assert.equal(settled, true);
  await mq.close();
});

test('the pump keeps leases while a handler takes longer than one', async () => {
  const mq = await MessageQueueSystem.open();
  await mq.createQueue({ name: 'jobs', leaseDuration: 60 });
  await mq.sendMessage('jobs', { payload: 1 });
  let deliveries = 0;
  await pump(mq, options, async (delivery) => {
    deliveries++;
    const first = delivery.lease.until;
    for (let until = first; until <= first + 60;) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      const lease = (await mq.getMessage(delivery.id))?.lease;
      assert.equal(lease?.token, delivery.lease.token, 'the lease was lost');
      until = lease.until;
    }
    await delivery.acknowledge();
  });
  assert.equal(deliveries, 1);
  assert.equal((await mq.getQueueInfo('jobs')).messageCount, 0);
  await mq.close();
});
