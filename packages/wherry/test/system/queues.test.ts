import assert from 'node:assert/strict';
import {
  MessageQueueSystem,
  QueueExistsError,
  QueueNotEmptyError,
  QueueNotFoundError,
  ValidationError,
} from '../../src/index.ts';
import { eachStore, until } from './fixture.ts';
import { LASTING_STORES } from './places.ts';

eachStore('a queue has its settings, and the defaults for the others', async ({ open }) => {
  const mq = await open();
  const queue = await mq.createQueue({ name: 'q', messageTtl: '2m', backoff: '3s', maxSize: 5 });
  assert.equal(queue.settings.messageTtl, 120_000);
  assert.deepEqual(queue.settings.backoff.type, 'fixed');
  assert.equal(queue.settings.backoff.delay, 3_000);
  assert.equal(queue.settings.maxSize, 5);
  assert.equal(queue.settings.maxRetries, 3);
  assert.equal(mq.getQueue('q').name, 'q');
});

eachStore('creating again: equal settings answer it, others are refused', async ({ open }) => {
  const mq = await open();
  const first = await mq.createQueue({ name: 'q', maxRetries: 7 });
  const again = await mq.createQueue({ name: 'q', maxRetries: 7 });
  assert.equal(again.number, first.number);
  await assert.rejects(mq.createQueue({ name: 'q', maxRetries: 8 }), (error: Error) => {
    assert.ok(error instanceof QueueExistsError);
    assert.match(error.message, /maxRetries/);
    return true;
  });
  assert.equal(mq.getQueue('q').settings.maxRetries, 7);
});

const WRONG: [string, object][] = [
  ['empty name', { name: '' }],
  ['control character', { name: 'a\u0000b' }],
  ['long name', { name: 'ä'.repeat(200) }],
  ['negative size', { name: 'q', maxSize: -1 }],
  ['half a message', { name: 'q', maxSize: 1.5 }],
  ['unknown overflow', { name: 'q', overflow: 'explode' }],
  ['bad duration', { name: 'q', messageTtl: '5 parsecs' }],
  ['zero ttl', { name: 'q', messageTtl: 0 }],
  ['short lease', { name: 'q', leaseDuration: 1 }],
  ['unknown setting', { name: 'q', maxRetires: 3 }],
  ['jitter beyond 1', { name: 'q', backoff: { jitter: 2 } }],
  ['dead letters to itself', { name: 'q', deadLetterQueue: 'q' }],
];

eachStore('wrong settings are refused with the value and what it may be', async ({ open }) => {
  const mq = await open();
  for (const [what, config] of WRONG) {
    await assert.rejects(mq.createQueue(config as never), ValidationError, what);
  }
  assert.deepEqual(
    mq.listQueues().map((queue) => queue.name),
    ['dead-letter'],
  );
});

eachStore('dead-letter queues cannot form a circle', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'a', deadLetterQueue: 'b' });
  await mq.createQueue({ name: 'b', deadLetterQueue: 'c' });
  await assert.rejects(mq.createQueue({ name: 'c', deadLetterQueue: 'a' }), /c -> a -> b -> c/);
  await mq.createQueue({ name: 'c' });
  await assert.rejects(mq.updateQueue('c', { deadLetterQueue: 'a' }), ValidationError);
});

eachStore('updateQueue changes settings, rules new sends and drops nothing', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  for (let i = 0; i < 3; i++) await mq.sendMessage('q', { payload: i });
  const updated = await mq.updateQueue('q', { maxSize: 2, backoff: { delay: '9s' } });
  assert.equal(updated.settings.backoff.delay, 9_000);
  assert.equal(updated.settings.backoff.type, 'exponential');
  assert.equal((await mq.getQueueInfo('q')).messageCount, 3);
  await assert.rejects(mq.sendMessage('q', { payload: 3 }), { code: 'QUEUE_FULL' });
  await assert.rejects(mq.updateQueue('q', { durable: false }), ValidationError);
  await assert.rejects(mq.updateQueue('no', { maxSize: 2 }), QueueNotFoundError);
});

eachStore('deleting refuses a queue with messages unless forced', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  await mq.sendMessage('q', { payload: 1 });
  const delivery = await mq.receiveMessage('q', 'me');
  await assert.rejects(mq.deleteQueue('q'), QueueNotEmptyError);
  assert.equal(await mq.deleteQueue('q', { force: true }), 1);
  await assert.rejects(delivery!.acknowledge(), { code: 'LEASE_LOST' });
  await assert.rejects(mq.sendMessage('q', { payload: 1 }), QueueNotFoundError);
  await assert.rejects(mq.deleteQueue('q'), QueueNotFoundError);
  const again = await mq.createQueue({ name: 'q' });
  assert.equal((await mq.getQueueInfo(again)).messageCount, 0);
});

eachStore('purge takes ready and scheduled, not leased', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  await mq.sendMessage('q', { payload: 'leased' });
  const leased = await mq.receiveMessage('q', 'me');
  await mq.sendMessage('q', { payload: 'ready' });
  await mq.sendMessage('q', { payload: 'later', delay: '1h' });
  assert.equal(await mq.purgeQueue('q'), 2);
  const info = await mq.getQueueInfo('q');
  assert.deepEqual([info.ready, info.scheduled, info.leased], [0, 0, 1]);
  await leased!.acknowledge();
});

eachStore('a paused queue takes messages in and hands none out', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  await mq.pauseQueue('q');
  await mq.sendMessage('q', { payload: 1 });
  const handled: unknown[] = [];
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: ({ payload }) => handled.push(payload),
  });
  assert.equal(await mq.receiveMessage('q', 'me'), null);
  assert.deepEqual(handled, []);
  await mq.resumeQueue('q');
  await until(() => handled.length === 1);
});

eachStore('a paused queue is still the queue that the program creates', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  await mq.pauseQueue('q');
  assert.equal((await mq.createQueue({ name: 'q' })).settings.paused, true);
});

eachStore('open may say what the dead-letter queue is like', async ({ open }) => {
  const mq = await open({ queues: [{ name: 'dead-letter', maxSize: 10 }] });
  assert.equal(mq.getQueue('dead-letter').settings.maxSize, 10);
});

eachStore('info: exact counts, ages and bytes', async ({ open, clock }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', maxSize: 10 });
  await mq.sendMessage('q', { payload: 'äbc' });
  await mq.sendMessage('q', { payload: 'x', delay: '1s' });
  clock.advance(400);
  await mq.sendMessage('q', { payload: 'yy' });
  const info = await mq.getQueueInfo('q');
  assert.deepEqual(
    [info.ready, info.scheduled, info.leased, info.messageCount, info.bytes, info.oldestAge],
    [2, 1, 0, 3, 7, 400],
  );
  assert.equal(info.maxSize, 10);
  assert.equal(info.counters.enqueued, 3);
  assert.ok(info.rates.enqueued > 0);
});

eachStore('an idle queue is deleted after its time; a used one is not', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'idle', expiresAfterIdle: '10s' });
  await mq.createQueue({ name: 'used', expiresAfterIdle: '10s' });
  await mq.createQueue({ name: 'consumed', expiresAfterIdle: '10s' });
  await mq.createConsumer({ id: 'c', queueName: 'consumed', handler: () => {} });
  await advance(6_000);
  await mq.sendMessage('used', { payload: 1 });
  await advance(6_000);
  await until(() => mq.listQueues().every((queue) => queue.name !== 'idle'));
  await advance(3_000);
  assert.deepEqual(
    mq.listQueues().map((queue) => queue.name),
    ['consumed', 'dead-letter', 'used'],
  );
});

eachStore(
  'settings, exchanges and bindings survive a restart',
  async ({ open }) => {
    const mq = await open();
    await mq.createQueue({ name: 'q', maxRetries: 9, messageTtl: '1h' });
    await mq.createExchange({ name: 'e', type: 'topic' });
    await mq.bind({ exchange: 'e', queue: 'q', routingKey: 'a.#' });
    await mq.close();
    const again = await open();
    assert.equal(again.getQueue('q').settings.maxRetries, 9);
    assert.equal(again.getQueue('q').settings.messageTtl, 3_600_000);
    assert.deepEqual((await again.publish('e', 'a.b', { payload: 1 })).queues, ['q']);
  },
  LASTING_STORES,
);

eachStore('what open is given is created', async ({ open }) => {
  const mq = await open({
    queues: [{ name: 'q' }],
    exchanges: [{ name: 'e', type: 'fanout' }],
    bindings: [{ exchange: 'e', queue: 'q' }],
    producers: [{ id: 'p', queueName: 'q' }],
    deadLetter: { queue: 'morgue' },
  });
  await mq.producerManager.sendMessage('p', { payload: 1 });
  await mq.publish('e', '', { payload: 2 });
  assert.equal((await mq.getQueueInfo('q')).ready, 2);
  assert.equal(mq.deadLetterQueue.queueName, 'morgue');
  await assert.rejects(mq.producerManager.sendMessage('x', { payload: 1 }), {
    code: 'PRODUCER_NOT_FOUND',
  });
  await assert.rejects(mq.consumerManager.stopConsumer('x'), { code: 'CONSUMER_NOT_FOUND' });
});

eachStore(
  'a store of an unknown kind is refused by name',
  async () => {
    const misspelt = { storge: './x' } as never;
    await assert.rejects(MessageQueueSystem.open(misspelt), /no field 'storge'/);
    await assert.rejects(MessageQueueSystem.open({ storage: 'mongodb://x' }), (error: Error) => {
      assert.match(error.message, /mongodb:\/\/x/);
      return error instanceof ValidationError;
    });
  },
  ['memory'],
);

eachStore('values of the wrong type are refused as such', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const wrong: (() => Promise<unknown>)[] = [
    () => mq.createQueue(null as never),
    () => mq.sendMessage(null as never, { payload: 1 }),
    () => mq.sendBatch('q', null as never),
    () => mq.createConsumer(null as never),
    () => mq.receiveMessage('q', 'me', null as never),
    () => mq.browse('q', { state: 'gone' as never }),
    () => mq.browse('q', { limit: 0 }),
    () => mq.deadLetterQueue.list(undefined, { limit: -1 }),
    () => MessageQueueSystem.open(null as never),
    () => MessageQueueSystem.open({ storage: 5 as never }),
  ];
  for (const call of wrong) await assert.rejects(call(), ValidationError, String(call));
});
