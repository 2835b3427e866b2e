import assert from 'node:assert/strict';
import type { MessageQueueSystem, RedriveOptions } from '../../src/index.ts';
import { eachStore, until } from './fixture.ts';

/** Sends payloads to a queue and dead-letters each. */
async function kill(
  mq: MessageQueueSystem,
  queue: string,
  ...payloads: unknown[]
): Promise<string[]> {
  const ids: string[] = [];
  for (const payload of payloads) {
    ids.push(await mq.sendMessage(queue, { payload }));
    const delivery = await mq.receiveMessage(queue, 'killer');
    await delivery!.deadLetter('dead');
  }
  return ids;
}

const payloadsOf = async (mq: MessageQueueSystem, queue: string): Promise<unknown[]> =>
  (await mq.browse(queue)).messages.map(({ message }) => message.payload);

eachStore('dead letters go to the own queue, else to the system one', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'own-dead' });
  await mq.createQueue({ name: 'own', deadLetterQueue: 'own-dead' });
  await mq.createQueue({ name: 'plain' });
  await kill(mq, 'own', 1);
  await kill(mq, 'plain', 2);
  assert.deepEqual(await payloadsOf(mq, 'own-dead'), [1]);
  assert.deepEqual(await payloadsOf(mq, 'dead-letter'), [2]);
});

eachStore('redrive: all, to the source, with retries reset and deaths kept', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'a' });
  await mq.createQueue({ name: 'b' });
  await kill(mq, 'a', 'a1', 'a2');
  await kill(mq, 'b', 'b1');
  assert.deepEqual(await mq.deadLetterQueue.redrive(), { moved: 3, skipped: 0 });
  assert.deepEqual(await payloadsOf(mq, 'a'), ['a1', 'a2']);
  const delivery = await mq.receiveMessage('b', 'me');
  assert.deepEqual([delivery!.retryCount, delivery!.deliveryCount], [0, 1]);
  assert.equal(delivery!.deaths.length, 1);
  await delivery!.deadLetter('again');
  const [dead] = (await mq.deadLetterQueue.list()).messages;
  assert.equal(dead!.deaths[0]!.count, 2);
});

eachStore('redrive: some, elsewhere, at most so many', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'a' });
  await mq.createQueue({ name: 'else' });
  const ids = await kill(mq, 'a', 1, 2, 3, 4);
  const one = await mq.deadLetterQueue.redrive({ ids: [ids[2]!, 'f'.repeat(32)], to: 'else' });
  assert.deepEqual(one, { moved: 1, skipped: 0 });
  assert.deepEqual(await payloadsOf(mq, 'else'), [3]);
  assert.equal((await mq.deadLetterQueue.redrive({ max: 2 })).moved, 2);
  assert.deepEqual(await payloadsOf(mq, 'a'), [1, 2]);
  await assert.rejects(mq.deadLetterQueue.redrive({ to: 'nowhere' }), { code: 'QUEUE_NOT_FOUND' });
  await assert.rejects(mq.deadLetterQueue.redrive({ rate: 0 }), { code: 'VALIDATION' });
  await assert.rejects(mq.deadLetterQueue.redrive({ rate: 1e-9, max: 0 }), { code: 'VALIDATION' });
});

eachStore('redrive: those that died in one queue, or of one reason', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'a', maxRetries: 0 });
  await mq.createQueue({ name: 'b' });
  await kill(mq, 'a', 1, 2);
  await kill(mq, 'b', 3);
  await mq.sendMessage('a', { payload: 4 });
  await (await mq.receiveMessage('a', 'me'))!.reject('no luck');
  const { deadLetterQueue } = mq;
  assert.equal((await deadLetterQueue.redrive({ diedIn: 'none' })).moved, 0);
  assert.equal((await deadLetterQueue.redrive({ diedIn: 'a', reason: 'max-retries' })).moved, 1);
  assert.deepEqual(await payloadsOf(mq, 'a'), [4]);
  assert.equal((await deadLetterQueue.redrive({ diedIn: 'a', max: 1 })).moved, 1);
  assert.equal((await deadLetterQueue.redrive({ reason: 'rejected' })).moved, 2);
  assert.deepEqual(await payloadsOf(mq, 'b'), [3]);
});

eachStore('redrive: at a rate', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'a' });
  await kill(mq, 'a', 1, 2, 3, 4, 5);
  const progress: number[] = [];
  const onProgress = ({ moved }: { moved: number }): void => void progress.push(moved);
  const done = mq.deadLetterQueue.redrive({ rate: 2, onProgress });
  await until(() => progress.length === 1);
  await advance(500);
  assert.deepEqual(progress, [2]);
  await advance(600);
  await until(() => progress.length >= 2);
  await advance(2_000);
  assert.equal((await done).moved, 5);
});

eachStore(
  'redrive: what waits for its rate ends with its signal, and with the system',
  async (f) => {
    const mq = await f.open();
    await mq.createQueue({ name: 'a' });
    await kill(mq, 'a', 1, 2, 3);
    const errors: { name: string; code?: string }[] = [];
    const begin = async (options: RedriveOptions = {}): Promise<void> => {
      let moved = 0;
      const onProgress = (): void => void (moved += 1);
      const done = mq.deadLetterQueue.redrive({ rate: 0.01, onProgress, ...options });
      done.catch((error) => errors.push(error));
      await until(() => moved === 1);
    };
    const leave = new AbortController();
    await begin({ signal: leave.signal });
    leave.abort();
    await until(() => errors.length === 1);
    await begin();
    await mq.close({ deadline: 0 });
    await until(() => errors.length === 2);
    assert.deepEqual([errors[0]!.name, errors[1]!.code], ['AbortError', 'CLOSED']);
  },
);

eachStore('a redrive leaves what has no home, where it was', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'gone' });
  await mq.createQueue({ name: 'full', maxSize: 1 });
  await kill(mq, 'gone', 1);
  await kill(mq, 'full', 2);
  await mq.deleteQueue('gone');
  await mq.sendMessage('full', { payload: 'occupied' });
  assert.deepEqual(await mq.deadLetterQueue.redrive(), { moved: 0, skipped: 2 });
  const info = await mq.getQueueInfo('dead-letter');
  assert.deepEqual([info.ready, info.leased], [2, 0]);
});

eachStore('a dead letter of a dead-letter queue stays there, parked', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'a' });
  const parked: unknown[] = [];
  mq.events.on('parked', (event) => parked.push(event));
  const [id] = await kill(mq, 'a', 'x');
  const delivery = await mq.receiveMessage('dead-letter', 'undertaker');
  await delivery!.deadLetter('twice dead');
  assert.deepEqual(parked, [{ queue: 'dead-letter', id, waitingFor: null, reason: 'rejected' }]);
  await advance(2 * 3_600_000);
  assert.equal(await mq.receiveMessage('dead-letter', 'undertaker'), null);
  const first = await mq.deadLetterQueue.list();
  const second = await mq.deadLetterQueue.list(undefined, { cursor: first.cursor! });
  assert.deepEqual([first.messages.length, second.messages[0]!.id], [0, id]);
  assert.equal(second.messages[0]!.parked!.error, 'twice dead');
  assert.equal((await mq.deadLetterQueue.redrive()).moved, 1);
  assert.deepEqual(await payloadsOf(mq, 'a'), ['x']);
});

eachStore('a dead letter that is parked for good does not stop its group', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'a' });
  for (const payload of [1, 2]) {
    await mq.sendMessage('a', { payload, groupId: 'g' });
    await (await mq.receiveMessage('a', 'me'))!.deadLetter();
  }
  await (await mq.receiveMessage('dead-letter', 'me'))!.deadLetter();
  const next = await mq.receiveMessage('dead-letter', 'me');
  assert.equal(next!.payload, 2);
  await next!.acknowledge();
  assert.equal((await mq.deadLetterQueue.redrive()).moved, 1);
  assert.equal((await mq.receiveMessage('a', 'me'))!.payload, 1);
});

eachStore('a full dead-letter queue parks the message at its source', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'small', maxSize: 1 });
  await mq.createQueue({ name: 'a', deadLetterQueue: 'small' });
  const parked: { waitingFor: string | null }[] = [];
  mq.events.on('parked', (event) => parked.push(event));
  const seen: unknown[] = [];
  await kill(mq, 'a', 'first', 'second');
  await until(() => parked.length === 1);
  assert.equal(parked[0]!.waitingFor, 'small');
  assert.equal((await mq.getQueueInfo('a')).scheduled, 1);
  await mq.createConsumer({ id: 'c', queueName: 'a', handler: (d) => seen.push(d.payload) });
  await advance(31_000);
  assert.deepEqual(seen, [], 'a dead message is never handed out');
  assert.equal(await mq.deadLetterQueue.purge('small'), 1);
  await advance(31_000);
  await until(async () => (await mq.getQueueInfo('small')).ready === 1);
  assert.deepEqual(await payloadsOf(mq, 'small'), ['second']);
  assert.deepEqual(seen, []);
});

eachStore('what a full drop-oldest dead-letter queue drops is told', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'few', maxSize: 1, overflow: 'drop-oldest' });
  await mq.createQueue({ name: 'a', deadLetterQueue: 'few' });
  const dropped: unknown[] = [];
  mq.events.on('dropped', (event) => dropped.push(event));
  const [first] = await kill(mq, 'a', 1, 2);
  assert.deepEqual(dropped, [{ queue: 'few', id: first, movedTo: null }]);
  assert.equal((await mq.getQueueInfo('few')).counters.dropped, 1);
});

eachStore('drop-oldest with a dead-letter queue that is gone uses the system one', async (f) => {
  const mq = await f.open();
  await mq.createQueue({ name: 'q', maxSize: 1, overflow: 'drop-oldest', deadLetterQueue: 'no' });
  await mq.sendMessage('q', { payload: 1 });
  await mq.sendMessage('q', { payload: 2 });
  assert.deepEqual(await payloadsOf(mq, 'dead-letter'), [1]);
});

eachStore('G9 expired: to the named dead-letter queue, else dropped', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'late' });
  await mq.createQueue({ name: 'named', messageTtl: '1s', deadLetterQueue: 'late' });
  await mq.createQueue({ name: 'unnamed', messageTtl: '1s' });
  await mq.sendMessage('named', { payload: 1 });
  await mq.sendMessage('unnamed', { payload: 2 });
  await advance(1_100);
  await until(async () => (await mq.getQueueInfo('late')).ready === 1);
  await until(async () => (await mq.getQueueInfo('unnamed')).messageCount === 0);
  const [dead] = (await mq.browse('late')).messages;
  assert.deepEqual([dead!.deaths[0]!.reason, dead!.expiresAt], ['expired', null]);
  assert.equal((await mq.getQueueInfo('dead-letter')).messageCount, 0);
});

eachStore('G9 what expires while it waits for its handler is never begun', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q', messageTtl: '1s' });
  await mq.sendBatch('q', [{ payload: 1 }, { payload: 2 }]);
  const begun: unknown[] = [];
  let finish = (): void => {};
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    batchSize: 2,
    handler: ({ payload }) => {
      begun.push(payload);
      return new Promise<void>((resolve) => (finish = resolve));
    },
  });
  await until(() => begun.length === 1);
  await advance(5_000);
  finish();
  // It goes back, and the sweeper is called for it.
  await until(async () => {
    await advance(10);
    return (await mq.getQueueInfo('q')).messageCount === 0;
  });
  assert.deepEqual(begun, [1]);
  assert.equal((await mq.getQueueInfo('q')).counters.expired, 1);
});

eachStore('long errors and stacks are trimmed', async ({ open }) => {
  const mq = await open({ limits: { errorLength: 10, stackLength: 20 } });
  await mq.createQueue({ name: 'a' });
  await mq.sendMessage('a', { payload: 1 });
  const delivery = await mq.receiveMessage('a', 'me');
  await delivery!.deadLetter(new Error('x'.repeat(100)));
  const [dead] = (await mq.deadLetterQueue.list()).messages;
  assert.equal(dead!.deaths[0]!.error!.length, 10);
  assert.equal(dead!.deaths[0]!.stack!.length, 20);
});

eachStore('G9 what is redriven to a queue with a TTL expires there in time', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'dead' });
  await mq.createQueue({ name: 'q', messageTtl: '1s', deadLetterQueue: 'dead' });
  await kill(mq, 'q', 'a');
  await advance(5_000);
  assert.equal((await mq.deadLetterQueue.redrive({ from: 'dead' })).moved, 1);
  await advance(1_100);
  assert.equal((await mq.getQueueInfo('q')).messageCount, 0);
  assert.equal((await mq.getQueueInfo('dead')).messageCount, 1);
});
