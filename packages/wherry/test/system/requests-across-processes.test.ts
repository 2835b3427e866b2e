import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageQueueSystem } from '../../src/index.ts';
import { ManualClock } from '../../src/testing/index.ts';
import { SharedStore } from '../shared-store.ts';
import { BufferedStore } from './buffered-transactions.ts';
import { until } from './fixture.ts';
import { replyQueue } from './reply-queue.ts';

test('the reply to a request that a transaction acknowledged comes after the commit', async () => {
  const store = new BufferedStore();
  const { driver: storage, clock } = store;
  const mq = await MessageQueueSystem.open({ storage, clock, queues: [{ name: 'q' }] });
  const order: string[] = [];
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: async (delivery) => {
      const tx = store.begin();
      await delivery.acknowledge({ tx });
      await tx.commit();
      order.push('committed');
      return 'done';
    },
  });
  mq.events.on('enqueued', ({ queue }) => {
    if (queue.startsWith('replies-')) order.push('replied');
  });
  assert.equal(await mq.request('q', { payload: 1 }), 'done');
  assert.deepEqual(order, ['committed', 'replied']);
  await mq.close();
});

/** Two processes on one store. */
async function twoProcesses(
  body: (
    requester: MessageQueueSystem,
    worker: MessageQueueSystem,
    world: {
      readonly clock: ManualClock;
      readonly die: () => void;
      readonly rest: () => Promise<void>;
    },
  ) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  const store = new SharedStore({ clock, latency: () => 1, newsLatency: () => 0 });
  await store.memory.open();
  const connections = [store.connect(), store.connect()] as const;
  const queues = [{ name: 'q' }];
  const open = (storage: (typeof connections)[number]): Promise<MessageQueueSystem> =>
    MessageQueueSystem.open({ storage: storage.driver, clock, queues });
  const [requester, worker] = [await open(connections[0]), await open(connections[1])];
  const die = (): void => connections[0].dieAt(1, false);
  try {
    await body(requester, worker, { clock, die, rest: () => store.rest() });
  } finally {
    if (!connections[0].isDead()) await requester.close();
    await worker.close();
    await store.memory.close();
  }
}

test('a request is answered by another process', async () => {
  await twoProcesses(async (requester, worker) => {
    await worker.createConsumer({ id: 'c', queueName: 'q', handler: () => 'from afar' });
    assert.equal(await requester.request('q', { payload: 1 }), 'from afar');
    assert.equal(replyQueue(worker), replyQueue(requester));
    await requester.close();
    assert.equal(replyQueue(worker), undefined);
  });
});

test('a requester that has closed gets no reply, and the handler does not notice', async () => {
  await twoProcesses(async (requester, worker) => {
    const failures: unknown[] = [];
    worker.events.on('consumerError', ({ error }) => failures.push(error));
    worker.events.on('retried', (event) => failures.push(event));
    let finish = (): void => {};
    const consumer = await worker.createConsumer({
      id: 'c',
      queueName: 'q',
      handler: () => new Promise<void>((resolve) => (finish = resolve)),
    });
    requester.request('q', { payload: 1 }).catch(() => {});
    await until(() => consumer.stats.running === 1);
    await requester.close();
    finish();
    await until(() => consumer.stats.handled === 1);
    assert.deepEqual(failures, []);
  });
});

test('what a requester leaves that died is cleared away by another process', async () => {
  await twoProcesses(async (requester, worker, { clock, die, rest }) => {
    requester.request('q', { payload: 1 }, { timeout: '1m' }).catch(() => {});
    await until(async () => (await worker.getQueueInfo('q')).ready === 1);
    const queue = replyQueue(worker)!;
    // While it lives, its queue stays, though no reply comes.
    await clock.advanceAsync(1_800_000, rest);
    assert.equal(replyQueue(worker), queue);
    die();
    await clock.advanceAsync(1_200_000, rest);
    assert.equal(replyQueue(worker), undefined);
    assert.equal((await worker.getQueueInfo('q')).messageCount, 0);
  });
});
