import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Delivery,
  MessageQueueSystem,
  RejectError,
  RetryError,
  ValidationError,
} from '../../src/index.ts';
import { createMemoryDriver, FaultyDriver, ManualClock } from '../../src/testing/index.ts';
import { eachStore, until } from './fixture.ts';

const FIXED = { type: 'fixed', delay: '10s', jitter: 0 } as const;

eachStore('a handler that returns acknowledges; one that throws retries', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q', backoff: FIXED });
  const seen: [unknown, number, number][] = [];
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: async ({ payload, retryCount, deliveryCount }) => {
      seen.push([payload, retryCount, deliveryCount]);
      if (payload === 'shaky' && retryCount === 0) throw new Error('not yet');
    },
  });
  await mq.sendMessage('q', { payload: 'sound' });
  await mq.sendMessage('q', { payload: 'shaky' });
  await until(() => seen.length === 2);
  await until(async () => (await mq.getQueueInfo('q')).scheduled === 1);
  await advance(9_990);
  assert.equal(seen.length, 2);
  await advance(20);
  await until(() => seen.length === 3);
  assert.deepEqual(seen[2], ['shaky', 1, 2]);
  await until(async () => (await mq.getQueueInfo('q')).messageCount === 0);
});

eachStore('G6 at most maxRetries + 1 deliveries, then the dead letters', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q', maxRetries: 2, backoff: { ...FIXED, delay: 5 } });
  let tries = 0;
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: () => {
      tries++;
      throw new TypeError('always');
    },
  });
  const id = await mq.sendMessage('q', { payload: 'x', headers: { keep: 'me' } });
  for (let i = 0; i < 6; i++) await advance(20);
  assert.equal(tries, 3);
  const [dead] = (await mq.deadLetterQueue.list()).messages;
  assert.equal(dead!.id, id);
  assert.deepEqual(dead!.message.headers, { keep: 'me' });
  const [death] = dead!.deaths;
  assert.deepEqual(
    [death!.queue, death!.reason, death!.count, death!.error],
    ['q', 'max-retries', 1, 'always'],
  );
  assert.match(death!.stack!, /TypeError: always/);
});

eachStore('RetryError sets the delay, RejectError dead-letters at once', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const seen: unknown[] = [];
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: ({ payload }) => {
      seen.push(payload);
      if (payload === 'hopeless') throw new RejectError('cannot be');
      if (seen.length === 1) throw new RetryError({ delay: '1h' });
    },
  });
  await mq.sendMessage('q', { payload: 'later' });
  await until(() => seen.length === 1);
  await advance(3_599_000);
  assert.equal(seen.length, 1);
  await advance(2_000);
  await until(() => seen.length === 2);
  await mq.sendMessage('q', { payload: 'hopeless' });
  await until(async () => (await mq.getQueueInfo('dead-letter')).ready === 1);
  const [dead] = (await mq.deadLetterQueue.list()).messages;
  assert.deepEqual([dead!.deaths[0]!.reason, dead!.deaths[0]!.error], ['rejected', 'cannot be']);
});

eachStore('a message has its own maxRetries', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', maxRetries: 10 });
  await mq.sendMessage('q', { payload: 1, maxRetries: 0 });
  const delivery = await mq.receiveMessage('q', 'me');
  await delivery!.reject('no');
  await advance(1);
  assert.equal((await mq.getQueueInfo('dead-letter')).ready, 1);
});

eachStore('back-off grows to its ceiling', async ({ open, clock }) => {
  const mq = await open();
  const backoff = { type: 'exponential', delay: 100, factor: 3, maxDelay: 500, jitter: 0 } as const;
  await mq.createQueue({ name: 'q', backoff });
  const delays: number[] = [];
  mq.events.on('retried', ({ delay }) => delays.push(delay));
  await mq.sendMessage('q', { payload: 1, maxRetries: 4 });
  for (let i = 0; i < 4; i++) {
    const delivery = await mq.receiveMessage('q', 'me', { waitMs: 0 });
    await delivery!.reject();
    clock.advance(500);
  }
  assert.deepEqual(delays, [100, 300, 500, 500]);
});

eachStore('concurrency bounds the handlers that run at once', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  let running = 0;
  let most = 0;
  let done = 0;
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    concurrency: 4,
    batchSize: 10,
    handler: async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      done++;
    },
  });
  await mq.sendBatch(
    'q',
    Array.from({ length: 50 }, (_, payload) => ({ payload })),
  );
  await until(() => done === 50);
  assert.equal(most, 4);
});

eachStore('a consumer holds batchSize + concurrency - 1 messages at most', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const consumer = await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    concurrency: 2,
    batchSize: 5,
    handler: () => new Promise(() => {}),
  });
  await mq.sendBatch(
    'q',
    Array.from({ length: 20 }, (_, payload) => ({ payload })),
  );
  await until(() => consumer.stats.running === 2 && consumer.stats.buffered >= 3);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok((await mq.getQueueInfo('q')).leased <= 6);
  await consumer.stop(0);
});

eachStore('a batch handler gets up to batchSize, settles some itself', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', backoff: FIXED });
  const sizes: number[] = [];
  await mq.sendBatch(
    'q',
    Array.from({ length: 7 }, (_, payload) => ({ payload })),
  );
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    batchSize: 5,
    batchHandler: async (deliveries: Delivery<number>[]) => {
      sizes.push(deliveries.length);
      for (const delivery of deliveries) {
        if (delivery.payload === 3) await delivery.deadLetter('three');
      }
    },
  });
  await until(async () => (await mq.getQueueInfo('q')).messageCount === 0);
  assert.deepEqual(sizes, [5, 2]);
  assert.equal((await mq.getQueueInfo('dead-letter')).ready, 1);
});

eachStore('G11 groups: one at a time, in order, also across retries', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q', backoff: FIXED });
  const seen: unknown[] = [];
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    concurrency: 8,
    handler: async ({ payload, retryCount }) => {
      seen.push(payload);
      if (payload === 'a1' && retryCount === 0) throw new Error('later');
    },
  });
  for (const [payload, groupId] of [
    ['a1', 'a'],
    ['b1', 'b'],
    ['a2', 'a'],
    ['b2', 'b'],
  ] as const) {
    await mq.sendMessage('q', { payload, groupId });
  }
  await until(() => seen.length === 3);
  assert.deepEqual(
    seen.map(String).toSorted((a, b) => a.localeCompare(b)),
    ['a1', 'b1', 'b2'],
  );
  await advance(10_100);
  await until(() => seen.length === 5);
  assert.deepEqual(seen.slice(3), ['a1', 'a2']);
});

eachStore('G15 stop: running handlers finish, the rest goes back uncounted', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  let finish = (): void => {};
  const consumer = await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    batchSize: 10,
    handler: () => new Promise<void>((resolve) => (finish = resolve)),
  });
  await mq.sendBatch(
    'q',
    Array.from({ length: 5 }, (_, payload) => ({ payload })),
  );
  await until(() => consumer.stats.running === 1 && consumer.stats.buffered === 4);
  const stopped = mq.consumerManager.stopConsumer('c');
  await until(async () => (await mq.getQueueInfo('q')).ready === 4);
  finish();
  await stopped;
  const info = await mq.getQueueInfo('q');
  assert.deepEqual([info.ready, info.leased, info.messageCount], [4, 0, 4]);
  const next = await mq.receiveMessage('q', 'me');
  assert.deepEqual([next!.payload, next!.deliveryCount, next!.retryCount], [1, 1, 0]);
});

eachStore('G15 at the deadline handlers are told and their messages go back', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  let aborted = false;
  const consumer = await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: ({ signal }) => {
      signal.addEventListener('abort', () => (aborted = true));
      return new Promise(() => {});
    },
  });
  await mq.sendMessage('q', { payload: 1 });
  await until(() => consumer.stats.running === 1);
  const stopped = consumer.stop(5_000);
  await advance(4_990);
  assert.equal(aborted, false);
  await advance(20);
  await stopped;
  assert.equal(aborted, true);
  const again = await mq.receiveMessage('q', 'me');
  assert.deepEqual([again!.retryCount, again!.deliveryCount], [1, 2]);
});

eachStore('pause gives back what waits, resume goes on', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const seen: unknown[] = [];
  const consumer = await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: ({ payload }) => seen.push(payload),
  });
  consumer.pause();
  await mq.sendMessage('q', { payload: 1 });
  await until(async () => (await mq.getQueueInfo('q')).ready === 1);
  assert.deepEqual(seen, []);
  consumer.resume();
  await until(() => seen.length === 1);
});

eachStore(
  'for await: each delivery is settled in the loop; leaving gives the rest back',
  async ({ open }) => {
    const mq = await open();
    await mq.createQueue({ name: 'q' });
    await mq.sendBatch(
      'q',
      Array.from({ length: 5 }, (_, payload) => ({ payload })),
    );
    const seen: unknown[] = [];
    for await (const delivery of mq.consume('q')) {
      seen.push(delivery.payload);
      await delivery.acknowledge();
      if (seen.length === 3) break;
    }
    assert.deepEqual(seen, [0, 1, 2]);
    const info = await mq.getQueueInfo('q');
    assert.deepEqual([info.ready, info.leased], [2, 0]);
  },
);

eachStore('for await ends with its signal', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const controller = new AbortController();
  setImmediate(() => controller.abort());
  for await (const delivery of mq.consume('q', { signal: controller.signal })) {
    assert.fail(delivery.id);
  }
});

test('a signal that fires while the store is asked ends the wait', async () => {
  const clock = new ManualClock();
  const driver = new FaultyDriver(createMemoryDriver({ clock }));
  const mq = await MessageQueueSystem.open({ storage: driver, clock, queues: [{ name: 'q' }] });
  const stop = new AbortController();
  const delay = async (): Promise<void> => stop.abort(new Error('enough'));
  driver.plan({ method: 'take', call: 1, when: 'after', delay });
  const waiting = mq.receiveMessage('q', 'me', { waitMs: '1h', signal: stop.signal });
  await assert.rejects(waiting, /enough/);
  await mq.close();
});

eachStore('close ends loops and waits', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const waiting = mq.receiveMessage('q', 'me', { waitMs: '1h' });
  waiting.catch(() => {});
  const loop = (async () => {
    for await (const delivery of mq.consume('q')) assert.fail(delivery.id);
  })();
  await new Promise((resolve) => setImmediate(resolve));
  await mq.close();
  await loop;
  await assert.rejects(waiting, { code: 'CLOSED' });
});

eachStore('receiveMessage waits for the first message', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const waiting = mq.receiveMessage('q', 'me', { waitMs: '20s' });
  await advance(100);
  await mq.sendMessage('q', { payload: 'at last' });
  assert.equal((await waiting)!.payload, 'at last');
  const inVain = mq.receiveMessage('q', 'me', { waitMs: '3s' });
  await advance(3_001);
  assert.equal(await inVain, null);
  await mq.sendBatch('q', [{ payload: 1 }, { payload: 2 }, { payload: 3 }]);
  assert.equal((await mq.receiveMessage('q', 'me', { max: 2 })).length, 2);
});

eachStore('wrong consumers are refused', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const handler = (): void => {};
  const wrong = [
    { id: 'c', queueName: 'q' },
    { id: 'c', queueName: 'q', handler, batchHandler: handler },
    { id: '', queueName: 'q', handler },
    { id: 'c', queueName: 'q', handler, batchSize: 0 },
    { id: 'c', queueName: 'q', handler, concurrency: 1.5 },
    { id: 'c', queueName: 'q', handler, batchSize: 10_000, concurrency: 99_999 },
    { id: 'c', queueName: 'q', handler, pollInterval: 'often' },
    { id: 'c', queueName: 'q', handler, concurency: 5 },
    { id: 'c', queueName: 'q', handler, pollInterval: 0 },
    { id: 'c', queueName: 'q', handler, leaseDuration: 0 },
    { id: 'c', queueName: 'q', handler, handlerTimeout: 0 },
  ];
  for (const config of wrong) await assert.rejects(mq.createConsumer(config), ValidationError);
  await assert.rejects(mq.createConsumer({ id: 'c', queueName: 'no', handler }), {
    code: 'QUEUE_NOT_FOUND',
  });
  await mq.createConsumer({ id: 'c', queueName: 'q', handler });
  await assert.rejects(mq.createConsumer({ id: 'c', queueName: 'q', handler }), /exists/);
  await mq.consumerManager.getConsumer('c').stop();
  await mq.createConsumer({ id: 'c', queueName: 'q', handler });
});
