import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageQueueSystem, RejectError } from 'wherry';
import { startBroker } from '../broker.ts';

test('what programs do over the remote driver counts at the broker', async (t) => {
  const broker = await startBroker({
    queues: [
      { name: 'orders', backoff: '1ms' },
      { name: 'small', maxSize: 1, overflow: 'drop-oldest' },
    ],
  });
  const mq = await MessageQueueSystem.open({ storage: broker.url });
  t.after(async () => {
    await mq.close();
    await broker.close();
  });

  await mq.sendBatch('orders', [
    { payload: 'good', deduplicationId: 'a' },
    { payload: 'good', deduplicationId: 'a' },
    { payload: 'bad' },
    { payload: 'late' },
  ]);
  await mq.createConsumer<string>({
    id: 'worker',
    queueName: 'orders',
    handler: ({ payload, retryCount }) => {
      if (payload === 'bad') throw new RejectError();
      if (payload === 'late' && retryCount === 0) throw new Error('not yet');
    },
  });
  for (const payload of [1, 2]) await mq.sendMessage('small', { payload });

  const countersOf = async (queue: string): Promise<Record<string, number>> => {
    const response = await fetch(`${broker.url}/api/v1/queues/${queue}`);
    return ((await response.json()) as { counters: Record<string, number> }).counters;
  };
  const until = async (name: string, count: number): Promise<Record<string, number>> => {
    const deadline = Date.now() + 10_000;
    for (;;) {
      const counters = await countersOf('orders');
      if (counters[name]! >= count) return counters;
      assert.ok(Date.now() < deadline, `${name} is ${counters[name]}`);
    }
  };
  await until('deadLettered', 1);
  const { enqueued, delivered, acknowledged, retried, deadLettered, leaseLost } = await until(
    'acknowledged',
    2,
  );
  assert.deepEqual(
    { enqueued, delivered, acknowledged, retried, deadLettered, leaseLost },
    { enqueued: 3, delivered: 4, acknowledged: 2, retried: 1, deadLettered: 1, leaseLost: 0 },
  );
  assert.equal((await countersOf('dead-letter'))['enqueued'], 1);
  const { enqueued: stored, dropped } = await countersOf('small');
  assert.deepEqual([stored, dropped], [2, 1]);

  await mq.deadLetterQueue.redrive();
  assert.equal((await until('deadLettered', 2))['enqueued'], 4);
});
