import assert from 'node:assert/strict';
import { eachStore } from './fixture.ts';

// On the memory store `durable: false` changes nothing; on a durable one such queues live beside it.

eachStore('a queue with durable: false sends, delivers and counts like any other', async (f) => {
  const mq = await f.open();
  await mq.createQueue({ name: 'v', durable: false, maxSize: 2 });
  const id = await mq.sendMessage('v', { payload: 1 });
  await mq.sendMessage('v', { payload: 2, delay: '1s' });
  await assert.rejects(mq.sendMessage('v', { payload: 3 }), { code: 'QUEUE_FULL' });
  assert.equal((await mq.getMessage(id))!.message.payload, 1);
  const info = await mq.getQueueInfo('v');
  assert.deepEqual([info.ready, info.scheduled], [1, 1]);
  await mq.acknowledgeMessage((await mq.receiveMessage('v', 'me'))!.id, 'me');
  f.clock.advance(1_001);
  assert.equal((await mq.receiveMessage('v', 'me'))!.payload, 2);
});

eachStore('one publish reaches durable and other queues', async ({ open }) => {
  const mq = await open();
  await mq.createExchange({ name: 'e', type: 'fanout' });
  for (const [name, durable] of [
    ['d1', true],
    ['v1', false],
    ['d2', true],
  ] as const) {
    await mq.createQueue({ name, durable, maxSize: 1 });
    await mq.bind({ exchange: 'e', queue: name });
  }
  const result = await mq.publish('e', '', { payload: 'x' });
  assert.equal(new Set(result.ids).size, 3);
  for (let i = 0; i < 3; i++) {
    const stored = await mq.getMessage(result.ids[i]!);
    assert.equal(stored!.queueName, result.queues[i]);
  }
  // All or none, whichever of the stores refuses, and without a trace.
  const message = { payload: 'y', deduplicationId: 'once' };
  await (await mq.receiveMessage('v1', 'me'))!.acknowledge();
  await assert.rejects(mq.publish('e', '', message), { code: 'QUEUE_FULL' });
  assert.equal((await mq.getQueueInfo('v1')).messageCount, 0);
  await mq.sendMessage('v1', { payload: 'occupied' });
  for (const name of ['d1', 'd2']) await (await mq.receiveMessage(name, 'me'))!.acknowledge();
  await assert.rejects(mq.publish('e', '', message), { code: 'QUEUE_FULL' });
  assert.equal((await mq.getQueueInfo('d1')).messageCount, 0);
  await mq.purgeQueue('v1');
  assert.equal((await mq.publish('e', '', message)).duplicate, false);
  for (const name of ['d1', 'v1', 'd2']) {
    assert.equal((await mq.receiveMessage(name, 'me'))!.payload, 'y');
  }
});

eachStore('dead letters and redrives cross from one store to the other', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'v', durable: false });
  const id = await mq.sendMessage('v', { payload: 'x', headers: { h: 1 } });
  await (await mq.receiveMessage('v', 'me'))!.deadLetter('why');
  assert.equal((await mq.getQueueInfo('v')).messageCount, 0);
  const [dead] = (await mq.deadLetterQueue.list()).messages;
  assert.deepEqual(
    [dead!.id, dead!.deaths[0]!.queue, dead!.deaths[0]!.error, dead!.message.headers],
    [id, 'v', 'why', { h: 1 }],
  );
  assert.equal((await mq.deadLetterQueue.redrive()).moved, 1);
  const again = await mq.receiveMessage('v', 'me');
  assert.deepEqual([again!.payload, again!.deaths.length], ['x', 1]);
});

eachStore('a forced delete takes the messages along', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'v', durable: false });
  await mq.sendMessage('v', { payload: 1 });
  await assert.rejects(mq.deleteQueue('v'), { code: 'QUEUE_NOT_EMPTY' });
  assert.equal(await mq.deleteQueue('v', { force: true }), 1);
  await mq.createQueue({ name: 'v', durable: false });
  assert.equal((await mq.getQueueInfo('v')).messageCount, 0);
});

eachStore(
  'after a restart the queue is there, its messages are not',
  async ({ open }) => {
    const mq = await open();
    await mq.createQueue({ name: 'v', durable: false });
    await mq.createQueue({ name: 'd' });
    await mq.sendMessage('v', { payload: 1 });
    await mq.sendMessage('d', { payload: 2 });
    await mq.close();
    const again = await open();
    assert.equal((await again.getQueueInfo('v')).messageCount, 0);
    assert.equal((await again.getQueueInfo('d')).messageCount, 1);
  },
  ['lmdb'],
);
