import assert from 'node:assert/strict';
import * as z from 'zod';
import {
  ClosedError,
  QueueFullError,
  QueueNotFoundError,
  RejectError,
  RequestFailedError,
  SerializationError,
  TimeoutError,
  ValidationError,
} from '../../src/index.ts';
import { eachStore, until } from './fixture.ts';
import { SHARED_STORES } from './places.ts';
import { replyQueue } from './reply-queue.ts';

eachStore('what the handler returns is the reply', async ({ open }) => {
  const mq = await open({ queues: [{ name: 'add' }] });
  await mq.createConsumer<number[]>({
    id: 'adder',
    queueName: 'add',
    handler: async ({ payload }) => payload.reduce((sum, n) => sum + n, 0),
  });
  assert.equal(replyQueue(mq), undefined);
  const sum: number = await mq.request<number>('add', { payload: [1, 2, 3] });
  assert.equal(sum, 6);
  const queue = mq.getQueue(replyQueue(mq)!);
  assert.equal(queue.settings.durable, false);
  assert.notEqual(queue.settings.expiresAfterIdle, null);
  await until(async () => (await mq.getQueueInfo('add')).messageCount === 0);
});

eachStore('many requests at once share a queue, and get their own replies', async ({ open }) => {
  const mq = await open({ queues: [{ name: 'square' }] });
  await mq.createConsumer<number>({
    id: 'c',
    queueName: 'square',
    concurrency: 50,
    handler: ({ payload }) => {
      // The later ones are done first.
      const wait = new Promise((resolve) => setTimeout(resolve, (payload * 7) % 13));
      return wait.then(() => payload ** 2);
    },
  });
  const numbers = Array.from({ length: 200 }, (_, i) => i);
  const squares = await Promise.all(
    numbers.map((payload) => mq.request<number>('square', { payload })),
  );
  assert.deepEqual(
    squares,
    numbers.map((number) => number ** 2),
  );
  assert.equal(mq.listQueues().filter(({ name }) => name.startsWith('replies-')).length, 1);
});

eachStore(
  'every kind of payload comes back as it was; nothing comes back as null',
  async (given) => {
    const mq = await given.open({ queues: [{ name: 'echo' }] });
    const answers: unknown[] = [
      'text',
      { a: 1 },
      [null],
      false,
      new Uint8Array([1, 2]),
      null,
      undefined,
    ];
    await mq.createConsumer<number>({
      id: 'c',
      queueName: 'echo',
      handler: ({ payload }) => answers[payload],
    });
    const plain = (value: unknown): unknown => (value instanceof Uint8Array ? [...value] : value);
    for (const [payload, answer] of answers.entries()) {
      assert.deepEqual(plain(await mq.request('echo', { payload })), plain(answer ?? null));
    }
  },
);

eachStore('a handler may reply itself, once; what it returns is then no reply', async (given) => {
  const mq = await given.open({ queues: [{ name: 'q' }] });
  const errors: unknown[] = [];
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    batchSize: 2,
    batchHandler: async (deliveries) => {
      for (const delivery of deliveries) {
        await delivery.reply('first');
        await delivery.reply('second').catch((error: unknown) => errors.push(error));
      }
      return 'third';
    },
  });
  assert.equal(await mq.request('q', { payload: 1 }), 'first');
  await until(() => errors.length === 1);
  assert.ok(errors[0] instanceof ValidationError);
  assert.equal((await mq.getQueueInfo(replyQueue(mq)!)).counters.enqueued, 1);
});

eachStore('a handler that settles the message itself replies itself, or not', async (given) => {
  const { open, advance } = given;
  const mq = await open({ queues: [{ name: 'q' }] });
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: async (delivery) => {
      await delivery.acknowledge();
      return 'passed on';
    },
  });
  const request = mq.request('q', { payload: 1 }, { timeout: '1s' });
  request.catch(() => {});
  await until(async () => (await mq.getQueueInfo('q')).counters.acknowledged === 1);
  await advance(1_000);
  await assert.rejects(request, TimeoutError);
});

eachStore('a request that fails for good is told at once', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'rejecting' });
  await mq.createQueue({ name: 'failing', maxRetries: 2, backoff: '1s' });
  await mq.createQueue({ name: 'strict', schema: z.number() });
  await mq.createQueue({ name: 'short', messageTtl: '2s' });
  const tries: number[] = [];
  await mq.createConsumer({
    id: 'rejecting',
    queueName: 'rejecting',
    handler: () => {
      throw new RejectError('No such account.');
    },
  });
  await mq.createConsumer({
    id: 'failing',
    queueName: 'failing',
    handler: ({ retryCount }) => {
      tries.push(retryCount);
      throw new Error('Out of order.');
    },
  });
  await mq.createConsumer({ id: 'strict', queueName: 'strict', handler: () => 1 });
  const failed = (queue: string, reason: string, text: RegExp) =>
    assert.rejects(mq.request(queue, { payload: 1 }), (error: RequestFailedError) => {
      assert.ok(error instanceof RequestFailedError);
      assert.deepEqual([error.code, error.reason], ['REQUEST_FAILED', reason]);
      assert.match(error.message, text);
      return true;
    });
  await failed('rejecting', 'rejected', /'rejecting'.*No such account/);
  const retried = failed('failing', 'max-retries', /Out of order/);
  await until(() => tries.length === 1);
  await advance(1_000);
  await until(() => tries.length === 2);
  await advance(1_000);
  await retried;
  const expired = failed('short', 'expired', /expired/);
  await until(async () => (await mq.getQueueInfo('short')).messageCount === 1);
  await advance(2_100);
  await expired;
  assert.equal((await mq.getQueueInfo('dead-letter')).messageCount, 2);
});

eachStore('what is no JSON is no reply: the request fails', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', maxRetries: 0 });
  await mq.createConsumer({ id: 'c', queueName: 'q', handler: () => new Date() });
  await assert.rejects(mq.request('q', { payload: 1 }), /toISOString/);
  const { messages } = await mq.deadLetterQueue.list();
  assert.match(messages[0]!.deaths[0]!.error!, /a Date would come back as a string/);
});

eachStore('a dead-letter queue without room does not keep the requester waiting', async (given) => {
  const { open, advance } = given;
  const mq = await open({ queues: [{ name: 'dead-letter', maxSize: 1 }] });
  await mq.createQueue({ name: 'q' });
  await mq.sendMessage('dead-letter', { payload: 'full' });
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: () => {
      throw new RejectError();
    },
  });
  await assert.rejects(mq.request('q', { payload: 1 }), RequestFailedError);
  await mq.purgeQueue('dead-letter');
  await advance(31_000);
  await until(async () => (await mq.getQueueInfo('dead-letter')).messageCount === 1);
  // Told once, though it died later.
  assert.equal((await mq.getQueueInfo(replyQueue(mq)!)).counters.enqueued, 1);
});

eachStore('a request that is not answered in time is not begun with later', async (given) => {
  const { open, advance } = given;
  const mq = await open({ queues: [{ name: 'q' }] });
  const late = mq.request('q', { payload: 'late' }, { timeout: '5s' });
  const soon = mq.request('q', { payload: 'soon', ttl: '1s' }, { timeout: '5s' });
  for (const request of [late, soon]) request.catch(() => {});
  await until(async () => (await mq.getQueueInfo('q')).ready === 2);
  await advance(1_000);
  const [only, ...others] = await mq.receiveMessage('q', 'me', { max: 5 });
  assert.deepEqual([only!.payload, others], ['late', []]);
  const never = mq.request('q', { payload: 'never' }, { timeout: '2s' });
  never.catch(() => {});
  await until(async () => (await mq.getQueueInfo('q')).messageCount === 2);
  await advance(4_000);
  await assert.rejects(never, TimeoutError);
  assert.equal(await mq.receiveMessage('q', 'you'), null);
  await assert.rejects(late, (error: TimeoutError) => {
    assert.equal(error.code, 'TIMEOUT');
    assert.match(error.message, /reply to a request to queue 'q' took longer than 5000 ms/);
    return true;
  });
  // Too late: nobody waits for it, and nothing breaks.
  await only!.reply('too late');
  await only!.acknowledge();
  await until(async () => (await mq.getQueueInfo(replyQueue(mq)!)).messageCount === 0);
});

eachStore('a signal ends the waiting', async ({ open }) => {
  const mq = await open({ queues: [{ name: 'q' }] });
  const stop = new AbortController();
  const request = mq.request('q', { payload: 1 }, { signal: stop.signal });
  request.catch(() => {});
  await until(async () => (await mq.getQueueInfo('q')).ready === 1);
  stop.abort(new Error('enough'));
  await assert.rejects(request, /enough/);
  await assert.rejects(mq.request('q', { payload: 1 }, { signal: stop.signal }), /enough/);
  assert.equal((await mq.getQueueInfo('q')).ready, 1);
});

eachStore(
  'a full queue refuses a request, or lets it wait no longer than its reply',
  async (given) => {
    const { open, advance } = given;
    const mq = await open();
    await mq.createQueue({ name: 'full', maxSize: 1 });
    await mq.createQueue({ name: 'waits', maxSize: 1, overflow: 'block' });
    for (const queue of ['full', 'waits']) await mq.sendMessage(queue, { payload: 0 });
    await assert.rejects(mq.request('full', { payload: 1 }), QueueFullError);
    await assert.rejects(mq.request('nowhere', { payload: 1 }), QueueNotFoundError);
    const request = mq.request('waits', { payload: 1 }, { timeout: '2s' });
    request.catch(() => {});
    await until(() => replyQueue(mq) !== undefined);
    await advance(2_000);
    await assert.rejects(request, TimeoutError);
    await (await mq.receiveMessage('waits', 'me'))!.acknowledge();
    await advance(5_000);
    assert.equal((await mq.getQueueInfo('waits')).messageCount, 0);
  },
);

eachStore('the reply is held against a schema, which types it', async ({ open }) => {
  const mq = await open({ queues: [{ name: 'q' }] });
  await mq.createConsumer<string>({
    id: 'c',
    queueName: 'q',
    handler: ({ payload }) => ({ length: payload === 'wrong' ? 'long' : payload.length }),
  });
  const schema = z.object({ length: z.number() }).transform(({ length }) => length);
  const length: number = await mq.request('q', { payload: 'four' }, { schema });
  assert.equal(length, 4);
  await assert.rejects(mq.request('q', { payload: 'wrong' }, { schema }), (error: Error) => {
    assert.ok(error instanceof ValidationError);
    assert.match(error.message, /reply.*queue 'q'.*payload\.length/);
    return true;
  });
});

eachStore('whoever reads replyTo and correlationId can reply', async ({ open }) => {
  const mq = await open({ queues: [{ name: 'q' }] });
  const answer = async (payload: unknown, headers: Record<string, string>): Promise<void> => {
    const request = await mq.receiveMessage('q', 'me', { waitMs: '5s' });
    const { replyTo, correlationId } = request!.message;
    await mq.sendMessage(replyTo!, { payload, headers, correlationId: correlationId! });
    await request!.acknowledge();
  };
  const good = mq.request('q', { payload: 1 });
  await answer('by hand', {});
  assert.equal(await good, 'by hand');
  const bad = mq.request('q', { payload: 1 });
  bad.catch(() => {});
  await answer(null, { error: 'No way.' });
  await assert.rejects(bad, (error: RequestFailedError) => {
    assert.deepEqual([error.reason, error.code], [null, 'REQUEST_FAILED']);
    assert.match(error.message, /\(No way\.\)/);
    return true;
  });
});

eachStore('a message that asks for no reply gets none', async ({ open }) => {
  const mq = await open({ queues: [{ name: 'q' }, { name: 'answers' }] });
  let handled = 0;
  await mq.createConsumer({ id: 'c', queueName: 'q', handler: () => ++handled });
  await mq.sendMessage('q', { payload: 1, replyTo: 'answers' });
  await mq.sendMessage('q', { payload: 1, correlationId: 'x' });
  await mq.sendMessage('q', { payload: 1, replyTo: 'gone', correlationId: 'x' });
  await until(async () => (await mq.getQueueInfo('q')).counters.acknowledged === 3);
  assert.equal(handled, 3);
  assert.equal((await mq.getQueueInfo('answers')).messageCount, 0);
  await mq.createQueue({ name: 'other' });
  await mq.sendMessage('other', { payload: 1 });
  const delivery = await mq.receiveMessage('other', 'me');
  await assert.rejects(delivery!.reply(1), ValidationError);
});

eachStore('close: requests end, the queue of replies is gone', async ({ open }) => {
  const mq = await open({ queues: [{ name: 'q' }] });
  const request = mq.request('q', { payload: 1 });
  request.catch(() => {});
  await until(async () => (await mq.getQueueInfo('q')).ready === 1);
  await mq.close();
  await assert.rejects(request, ClosedError);
  await assert.rejects(mq.request('q', { payload: 1 }), ClosedError);
  const again = await open();
  assert.equal(replyQueue(again), undefined);
});

eachStore('a handler that waits for a reply gets it while the system closes', async ({ open }) => {
  const mq = await open({ queues: [{ name: 'outer' }, { name: 'inner' }] });
  let answer: (() => void) | undefined;
  const replies: unknown[] = [];
  await mq.createConsumer({
    id: 'inner',
    queueName: 'inner',
    handler: () => new Promise<string>((resolve) => (answer = () => resolve('done'))),
  });
  await mq.createConsumer({
    id: 'outer',
    queueName: 'outer',
    handler: async () => replies.push(await mq.request('inner', { payload: 1 })),
  });
  await mq.sendMessage('outer', { payload: 1 });
  // Leased is not begun: closing gives back what no handler has.
  await until(() => answer !== undefined);
  const closed = mq.close({ deadline: '1m' });
  answer!();
  await closed;
  assert.deepEqual(replies, ['done']);
});

eachStore('a queue of replies that somebody deletes is made again', async ({ open }) => {
  const mq = await open({ queues: [{ name: 'q' }] });
  await mq.createConsumer({ id: 'c', queueName: 'q', handler: () => 'here' });
  await mq.request('q', { payload: 1 });
  await mq.deleteQueue(replyQueue(mq)!, { force: true });
  assert.equal(await mq.request('q', { payload: 1 }), 'here');
});

eachStore(
  'a request is answered by another system on the same server',
  async ({ open }) => {
    const [requester, worker] = [await open({ queues: [{ name: 'q' }] }), await open()];
    await until(() => worker.listQueues().some(({ name }) => name === 'q'));
    await worker.createConsumer<number>({
      id: 'c',
      queueName: 'q',
      handler: ({ payload }) => payload * 2,
    });
    const requests = [1, 2, 3].map((payload) => requester.request<number>('q', { payload }));
    assert.deepEqual(await Promise.all(requests), [2, 4, 6]);
    await requester.close();
    await until(() => replyQueue(worker) === undefined);
  },
  SHARED_STORES,
);

eachStore('wrong requests are refused', async ({ open }) => {
  const mq = await open({ queues: [{ name: 'q' }] });
  const wrong = [
    () => mq.request('q', { payload: 1, replyTo: 'x' }),
    () => mq.request('q', { payload: 1, correlationId: 'x' }),
    () => mq.request('q', { payload: 1 }, { timeout: 0 }),
    () => mq.request('q', { payload: 1 }, { timeout: '30d' }),
    () => mq.request('q', { payload: 1 }, { tiemout: 1 } as object),
    () => mq.request('q', { payload: 1, ttl: 0 }),
    () => mq.request('q', null as never),
  ];
  for (const call of wrong) await assert.rejects(call, ValidationError);
  await assert.rejects(mq.request('q', { payload: new Date() }), SerializationError);
  assert.equal((await mq.getQueueInfo('q')).messageCount, 0);
});
