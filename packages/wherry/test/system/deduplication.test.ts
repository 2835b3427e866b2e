import assert from 'node:assert/strict';
import { type Deduplication, type MessageQueueSystem, ValidationError } from '../../src/index.ts';
import { eachStore } from './fixture.ts';

async function payloads(mq: MessageQueueSystem, queue: string): Promise<unknown[]> {
  const deliveries = await mq.receiveMessage(queue, 'c', { max: 100 });
  return deliveries.map(({ payload }) => payload);
}

eachStore('G12 throttle: a message has a window of its own', async ({ clock, open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', deduplicationWindow: 0 });
  const deduplication: Deduplication = { id: 'd', mode: 'throttle', window: '10s' };
  const first = await mq.sendMessage('q', { payload: 1, deduplication });
  assert.equal(await mq.sendMessage('q', { payload: 2, deduplication }), first);
  clock.advance(9_999);
  const [again] = await mq.sendBatch('q', [{ payload: 3, deduplication }]);
  assert.deepEqual(again, { ok: true, id: first, duplicate: true });
  clock.advance(1);
  const later = await mq.sendMessage('q', { payload: 4, deduplication });
  assert.notEqual(later, first);
  assert.deepEqual(await payloads(mq, 'q'), [1, 4]);
});

eachStore('G12 keep-last: the next one takes the place of the one that waits', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const told: string[] = [];
  mq.events.on('replaced', ({ queue, id }) => told.push(`replaced ${queue} ${id}`));
  mq.events.on('enqueued', ({ id }) => told.push(`enqueued ${id}`));
  const deduplication: Deduplication = { id: 'd', mode: 'keep-last' };
  const first = await mq.sendMessage('q', { payload: 'first', deduplication });
  const other = await mq.sendMessage('q', { payload: 'other' });
  const [second] = await mq.sendBatch('q', [{ payload: 'second', deduplication }]);
  assert.deepEqual(second, { ok: true, id: first, duplicate: false, replaced: true });
  const published = await mq.publish('', 'q', { payload: 'third', deduplication });
  const expected = { id: first, ids: [first], queues: ['q'], duplicate: false, replaced: true };
  assert.deepEqual(published, expected);
  assert.deepEqual(told, [
    `enqueued ${first}`,
    `enqueued ${other}`,
    `replaced q ${first}`,
    `replaced q ${first}`,
  ]);
  assert.deepEqual(await payloads(mq, 'q'), ['third', 'other']);
  const [next] = await mq.sendBatch('q', [{ payload: 'new', deduplication }]);
  assert.ok(next!.ok && next!.replaced === undefined && next!.id !== first);
});

eachStore('G12 keep-last: a delay that begins again gathers', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const seen: unknown[] = [];
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: ({ payload }) => seen.push(payload),
  });
  const deduplication: Deduplication = { id: 'save', mode: 'keep-last' };
  for (const payload of [1, 2, 3]) {
    await mq.sendMessage('q', { payload, delay: '1s', deduplication });
    await advance(900);
  }
  assert.deepEqual(seen, []);
  await advance(100);
  assert.deepEqual(seen, [3]);
});

const ID = { id: 'd', mode: 'keep-last' } as const;
const WRONG: [string, object][] = [
  ['both ways of naming an id', { deduplicationId: 'd', deduplication: ID }],
  ['keep-last in a group', { groupId: 'g', deduplication: ID }],
  ['keep-last with a window', { deduplication: { ...ID, window: '1s' } }],
  ['throttle without a window', { deduplication: { id: 'd', mode: 'throttle' } }],
  ['throttle for no time', { deduplication: { id: 'd', mode: 'throttle', window: 0 } }],
  ['an unknown mode', { deduplication: { id: 'd', mode: 'keep-first' } }],
  ['no id', { deduplication: { mode: 'keep-last' } }],
  ['an unknown field', { deduplication: { ...ID, ttl: '1s' } }],
  ['a text', { deduplication: 'd' }],
];

eachStore('deduplication that cannot be is refused', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  for (const [what, fields] of WRONG) {
    await assert.rejects(mq.sendMessage('q', { payload: 1, ...fields }), ValidationError, what);
  }
  assert.equal((await mq.getQueueInfo('q')).messageCount, 0);
});
