import assert from 'node:assert/strict';
import { type MessageQueueSystem, waitQuantile } from '../../src/index.ts';
import { eachStore, until } from './fixture.ts';

eachStore('every event is told, and counted', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', maxRetries: 1, backoff: 0 });
  const told = listenToAll(mq);
  const id = await mq.sendMessage('q', { payload: 1 });
  await (await mq.receiveMessage('q', 'me'))!.reject('once');
  await (await mq.receiveMessage('q', 'me'))!.reject('twice');
  await mq.sendMessage('q', { payload: 2 });
  await (await mq.receiveMessage('q', 'me'))!.acknowledge();
  await mq.sendMessage('q', { payload: 3, ttl: '1s' });
  await advance(1_100);
  assert.deepEqual(told.slice(0, 6), [
    `enqueued q ${id}`,
    `delivered q ${id}`,
    `retried q ${id}`,
    `delivered q ${id}`,
    `deadLettered q ${id}`,
    `enqueued dead-letter ${id}`,
  ]);
  const { counters } = await mq.getQueueInfo('q');
  assert.deepEqual(counters, {
    enqueued: 3,
    delivered: 3,
    acknowledged: 1,
    retried: 1,
    deadLettered: 1,
    expired: 1,
    dropped: 0,
    leaseLost: 0,
  });
});

eachStore('how long messages waited is counted, at their first delivery', async (given) => {
  const { open, advance } = given;
  const mq = await open();
  await mq.createQueue({ name: 'q', backoff: '1h' });
  const longest = (): number | null => waitQuantile(mq.queueManager.waits('q'), 1);
  assert.equal(longest(), null);
  await mq.sendMessage('q', { payload: 1 });
  await mq.sendMessage('q', { payload: 2, delay: '10s' });
  await advance(3_000);
  await (await mq.receiveMessage('q', 'me'))!.reject();
  const first = longest()!;
  assert.ok(first >= 3_000 && first < 4_500, `${first} ms`);
  // From when it could be had; and the hour of the other, which comes again, is nobody's wait.
  await advance(3_600_000);
  const deliveries = await mq.receiveMessage('q', 'me', { max: 2 });
  assert.equal(deliveries.length, 2);
  const counted = mq.queueManager.waits('q').reduce((sum, count) => sum + count, 0);
  assert.equal(counted, 2);
});

function listenToAll(mq: MessageQueueSystem): string[] {
  const told: string[] = [];
  const names = ['enqueued', 'delivered', 'acknowledged', 'retried', 'deadLettered', 'expired'];
  for (const name of names) {
    mq.events.on(name as 'enqueued', ({ queue, id }) => told.push(`${name} ${queue} ${id}`));
  }
  return told;
}

eachStore('a listener that throws harms nothing', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const uncaught: unknown[] = [];
  const catchIt = (error: unknown): void => void uncaught.push(error);
  const former = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', catchIt);
  mq.events.on('enqueued', () => {
    throw new Error('mine');
  });
  await mq.sendMessage('q', { payload: 1 });
  await until(() => uncaught.length === 1);
  process.removeAllListeners('uncaughtException');
  for (const listener of former) process.on('uncaughtException', listener);
  assert.equal((await mq.getQueueInfo('q')).ready, 1);
});

eachStore('an error that nobody listens to becomes a warning, once', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const warnings: Error[] = [];
  const listen = (warning: Error): void => void warnings.push(warning);
  process.on('warning', listen);
  const consumer = await mq.createConsumer({ id: 'c', queueName: 'q', handler: () => {} });
  await mq.deleteQueue('q');
  for (let i = 0; i < 5; i++) await advance(5_001);
  await consumer.stop();
  process.off('warning', listen);
  const ours = warnings.filter(({ name }) => name === 'WherryWarning');
  assert.equal(ours.length, 1);
  assert.match(ours[0]!.message, /Queue 'q', consumer 'c': Queue 'q' does not exist/);
});

eachStore('leaseLost is told when the time finds out', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', leaseDuration: '1s' });
  const lost: unknown[] = [];
  mq.events.on('leaseLost', (event) => lost.push(event));
  const id = await mq.sendMessage('q', { payload: 1 });
  await mq.receiveMessage('q', 'me');
  await advance(1_100);
  assert.deepEqual(lost, [{ queue: 'q', id, consumerId: null }]);
});
