import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  LeaseLostError,
  MessageQueueSystem,
  QueueFullError,
  UnsupportedError,
  ValidationError,
} from '../../src/index.ts';
import { type BufferedTransaction, BufferedStore } from './buffered-transactions.ts';
import { eachStore, until } from './fixture.ts';
import { STORES } from './places.ts';

interface Fixture {
  readonly mq: MessageQueueSystem;
  readonly store: BufferedStore;
  readonly begin: () => BufferedTransaction;
}

/** Declares a test on a store with transactions and a queue 'q'. */
function onTransactions(title: string, body: (fixture: Fixture) => Promise<void>): void {
  test(title, async () => {
    const store = new BufferedStore();
    const { driver: storage, clock } = store;
    const mq = await MessageQueueSystem.open({ storage, clock, queues: [{ name: 'q' }] });
    try {
      await body({ mq, store, begin: () => store.begin() });
    } finally {
      await mq.close({ deadline: 0 });
    }
  });
}

async function stored(mq: MessageQueueSystem, queue = 'q'): Promise<number> {
  return (await mq.getQueueInfo(queue)).messageCount;
}

onTransactions(
  'every way to send: there when it commits, never if it rolls back',
  async (given) => {
    const { mq, begin } = given;
    const producer = await mq.createProducer({ id: 'p', queueName: 'q' });
    await mq.createExchange({ name: 'x', type: 'fanout' });
    await mq.bind({ exchange: 'x', queue: 'q' });
    const sendAll = async (tx: BufferedTransaction): Promise<void> => {
      await mq.sendMessage('q', { payload: 1 }, { tx });
      await mq.sendBatch('q', [{ payload: 2 }, { payload: 3 }], { tx });
      await mq.sendBatch('q', [{ payload: 4 }], { tx, atomic: true });
      await mq.publish('x', '', { payload: 5 }, { tx });
      await mq.publishBatch([{ exchange: '', routingKey: 'q', message: { payload: 6 } }], { tx });
      await producer.sendMessage({ payload: 7 }, { tx });
      await producer.sendBatch([{ payload: 8 }], { tx });
    };
    const rolledBack = begin();
    await sendAll(rolledBack);
    rolledBack.rollback();
    await rolledBack.commit();
    assert.equal(await stored(mq), 0);
    const committed = begin();
    await sendAll(committed);
    assert.equal(await stored(mq), 0);
    await committed.commit();
    const { messages } = await mq.browse('q');
    assert.deepEqual(
      messages.map(({ message }) => message.payload),
      [1, 2, 3, 4, 5, 6, 7, 8],
    );
  },
);

onTransactions('a batch is one statement, answered per item', async ({ mq, store, begin }) => {
  await mq.createQueue({ name: 'full', maxSize: 1 });
  await mq.sendMessage('full', { payload: 0 });
  const messages = [1, new Date(), 3].map((payload) => ({ payload }));
  const results = await mq.sendBatch('q', messages, { tx: begin() });
  assert.deepEqual(
    results.map((result) => (result.ok ? 'ok' : result.error.code)),
    ['ok', 'SERIALIZATION', 'ok'],
  );
  const published = await mq.publishBatch(
    ['q', 'full', 'nowhere'].map((routingKey) => {
      return { exchange: '', routingKey, message: { payload: 1 } };
    }),
    { tx: begin() },
  );
  assert.deepEqual(
    published.map((result) => (result.ok ? result.result.queues : result.error.code)),
    [['q'], 'QUEUE_FULL', []],
  );
  assert.deepEqual(store.statements, ['publish 2', 'publish 2']);
});

onTransactions('no send waits for room inside a transaction', async ({ mq, begin }) => {
  await mq.createQueue({ name: 'full', maxSize: 1, overflow: 'block' });
  await mq.sendMessage('full', { payload: 0 });
  const tx = begin();
  await assert.rejects(mq.sendMessage('full', { payload: 1 }, { tx }), QueueFullError);
  const [result] = await mq.sendBatch('full', [{ payload: 1 }], { tx });
  assert.equal(result!.ok, false);
  for (const more of [{ blockTimeout: '1s' }, { signal: new AbortController().signal }]) {
    await assert.rejects(mq.sendMessage('q', { payload: 1 }, { tx, ...more }), ValidationError);
  }
});

onTransactions('what is done in a transaction is neither told nor counted', async (given) => {
  const { mq, begin } = given;
  const told: string[] = [];
  mq.events.on('enqueued', () => told.push('enqueued'));
  mq.events.on('acknowledged', () => told.push('acknowledged'));
  const tx = begin();
  await mq.sendMessage('q', { payload: 1 }, { tx });
  await tx.commit();
  const delivery = await mq.receiveMessage('q', 'me');
  const second = begin();
  await delivery!.acknowledge({ tx: second });
  await second.commit();
  assert.equal(await stored(mq), 0);
  assert.deepEqual(told, []);
  const { counters } = await mq.getQueueInfo('q');
  assert.deepEqual([counters.enqueued, counters.acknowledged], [0, 0]);
});

onTransactions('acknowledgeMessage: gone when it commits, held if it rolls back', async (given) => {
  const { mq, begin } = given;
  const id = await mq.sendMessage('q', { payload: 1 });
  await mq.receiveMessage('q', 'me');
  await assert.rejects(mq.acknowledgeMessage(id, 'you', { tx: begin() }), LeaseLostError);
  const rolledBack = begin();
  await mq.acknowledgeMessage(id, 'me', { tx: rolledBack });
  rolledBack.rollback();
  assert.equal((await mq.getQueueInfo('q')).leased, 1);
  const committed = begin();
  await mq.acknowledgeMessage(id, 'me', { tx: committed });
  assert.equal((await mq.getQueueInfo('q')).leased, 1);
  await committed.commit();
  assert.equal(await stored(mq), 0);
});

onTransactions('a lease that ended is refused inside the transaction too', async (given) => {
  const { mq, store, begin } = given;
  const lost: unknown[] = [];
  await mq.createQueue({ name: 'short', leaseDuration: '1s' });
  mq.events.on('leaseLost', ({ consumerId }) => lost.push(consumerId));
  await mq.sendMessage('short', { payload: 1 });
  const delivery = await mq.receiveMessage('short', 'me');
  await store.clock.advanceAsync(1_001);
  await assert.rejects(delivery!.acknowledge({ tx: begin() }), LeaseLostError);
  // Once by time, once by its late holder.
  assert.deepEqual(lost, [null, 'me']);
});

onTransactions(
  'a handler that returns after its transaction has nothing more done',
  async (given) => {
    const { mq, store, begin } = given;
    const consumer = await mq.createConsumer({
      id: 'c',
      queueName: 'q',
      handler: async (delivery) => {
        const tx = begin();
        await delivery.acknowledge({ tx });
        await tx.commit();
      },
    });
    await mq.sendMessage('q', { payload: 1 });
    await until(() => consumer.stats.handled === 1);
    await consumer.stop();
    assert.equal(await stored(mq), 0);
    assert.deepEqual(store.statements, ['settle 1']);
    assert.equal((await mq.getQueueInfo('dead-letter')).messageCount, 0);
  },
);

onTransactions('a handler that returns after a rollback leaves it to its lease', async (given) => {
  const { mq, store, begin } = given;
  await mq.createQueue({ name: 'short', leaseDuration: '1s' });
  const consumer = await mq.createConsumer({
    id: 'c',
    queueName: 'short',
    handler: async (delivery) => {
      const tx = begin();
      await delivery.acknowledge({ tx });
      tx.rollback();
    },
  });
  await mq.sendMessage('short', { payload: 1 });
  await until(() => consumer.stats.handled === 1);
  await consumer.stop();
  assert.equal((await mq.getQueueInfo('short')).leased, 1);
  await store.clock.advanceAsync(1_001);
  assert.equal((await mq.getQueueInfo('short')).ready, 1);
});

onTransactions(
  'a handler that throws after its rollback has its message retried',
  async (given) => {
    const { mq, begin } = given;
    await mq.createQueue({ name: 'retried', backoff: 0 });
    const tries: number[] = [];
    await mq.createConsumer({
      id: 'c',
      queueName: 'retried',
      handler: async (delivery) => {
        tries.push(delivery.retryCount);
        const tx = begin();
        await delivery.acknowledge({ tx });
        if (tries.length < 3) {
          tx.rollback();
          throw new Error('serialization failure');
        }
        await tx.commit();
      },
    });
    await mq.sendMessage('retried', { payload: 1 });
    await until(async () => (await stored(mq, 'retried')) === 0);
    assert.deepEqual(tries, [0, 1, 2]);
  },
);

onTransactions('a handler that throws after its commit has done its message', async (given) => {
  const { mq, begin } = given;
  const told: string[] = [];
  mq.events.on('leaseLost', () => told.push('leaseLost'));
  mq.events.on('consumerError', ({ error }) => told.push(String(error)));
  mq.events.on('retried', () => told.push('retried'));
  const consumer = await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: async (delivery) => {
      const tx = begin();
      await delivery.acknowledge({ tx });
      await tx.commit();
      throw new Error('too late to matter');
    },
  });
  await mq.sendMessage('q', { payload: 1 });
  await until(() => consumer.stats.failed === 1);
  await consumer.stop();
  assert.equal(await stored(mq), 0);
  assert.deepEqual(told, []);
});

onTransactions('after a rollback it may be acknowledged in another transaction', async (given) => {
  const { mq, begin } = given;
  await mq.sendMessage('q', { payload: 1 });
  const delivery = await mq.receiveMessage('q', 'me');
  const first = begin();
  await delivery!.acknowledge({ tx: first });
  first.rollback();
  const second = begin();
  await delivery!.acknowledge({ tx: second });
  await second.commit();
  assert.equal(await stored(mq), 0);
  await assert.rejects(delivery!.acknowledge({ tx: begin() }), LeaseLostError);
});

onTransactions('the lease is extended until the handler ends', async ({ mq, store, begin }) => {
  await mq.createQueue({ name: 'short', leaseDuration: 900 });
  let finish = (): void => {};
  let aborted = false;
  const tx = begin();
  const consumer = await mq.createConsumer({
    id: 'c',
    queueName: 'short',
    handler: async (delivery) => {
      delivery.signal.addEventListener('abort', () => (aborted = true));
      await delivery.acknowledge({ tx });
      await new Promise<void>((resolve) => (finish = resolve));
    },
  });
  await mq.sendMessage('short', { payload: 1 });
  await until(() => store.statements.length === 1);
  for (let i = 0; i < 10; i++) await store.clock.advanceAsync(290);
  assert.equal((await mq.getQueueInfo('short')).leased, 1);
  await tx.commit();
  // There is no lease any more, and nobody is told that it was lost.
  for (let i = 0; i < 10; i++) await store.clock.advanceAsync(290);
  assert.equal(aborted, false);
  finish();
  await until(() => consumer.stats.handled === 1);
});

onTransactions('a handler whose time is up keeps what its transaction has', async (given) => {
  const { mq, store, begin } = given;
  await mq.createQueue({ name: 'slow', backoff: 0 });
  const begun: number[] = [];
  let aborted = false;
  let finish = (): void => {};
  const consumer = await mq.createConsumer({
    id: 'c',
    queueName: 'slow',
    handlerTimeout: '1s',
    handler: async (delivery) => {
      begun.push(delivery.retryCount);
      delivery.signal.addEventListener('abort', () => (aborted = true));
      const tx = begin();
      await delivery.acknowledge({ tx });
      await new Promise<void>((resolve) => (finish = resolve));
      await tx.commit();
    },
  });
  await mq.sendMessage('slow', { payload: 1 });
  await until(() => store.statements.length === 1);
  await store.clock.advanceAsync(5_000);
  assert.equal(aborted, true);
  assert.deepEqual(begun, [0]);
  finish();
  await until(() => consumer.stats.handled === 1);
  assert.equal(await stored(mq, 'slow'), 0);
});

onTransactions('for await: leaving the loop leaves what a transaction has', async (given) => {
  const { mq, store, begin } = given;
  await mq.createQueue({ name: 'short', leaseDuration: '1s', backoff: 0 });
  await mq.sendMessage('short', { payload: 1 });
  const tx = begin();
  for await (const delivery of mq.consume('short')) {
    await delivery.acknowledge({ tx });
    break;
  }
  assert.equal((await mq.getQueueInfo('short')).leased, 1);
  await tx.commit();
  assert.equal(await stored(mq, 'short'), 0);
  await mq.sendMessage('short', { payload: 2 });
  const rolledBack = begin();
  for await (const delivery of mq.consume('short')) {
    await delivery.acknowledge({ tx: rolledBack });
    break;
  }
  rolledBack.rollback();
  await store.clock.advanceAsync(1_001);
  assert.equal((await mq.getQueueInfo('short')).ready, 1);
});

eachStore(
  'transactions are refused, with the reason, by a store without',
  async ({ open }) => {
    const mq = await open();
    await mq.createQueue({ name: 'q' });
    const id = await mq.sendMessage('q', { payload: 1 });
    const delivery = await mq.receiveMessage('q', 'me');
    const tx = new BufferedStore().begin();
    const reason = mq.storage.supports.transactions;
    assert.equal(typeof reason, 'string');
    const calls = [
      () => mq.sendMessage('q', { payload: 2 }, { tx }),
      () => mq.sendBatch('q', [{ payload: 2 }], { tx }),
      () => mq.publish('', 'q', { payload: 2 }, { tx }),
      () => mq.publishBatch([], { tx }),
      () => mq.acknowledgeMessage(id, 'me', { tx }),
      () => delivery!.acknowledge({ tx }),
    ];
    for (const call of calls) {
      await assert.rejects(call, (error: Error) => {
        assert.ok(error instanceof UnsupportedError);
        assert.ok(error.message.includes(reason as string), error.message);
        return true;
      });
    }
    await delivery!.acknowledge();
    assert.equal((await mq.getQueueInfo('q')).messageCount, 0);
  },
  STORES.filter((store) => store !== 'postgres'),
);
