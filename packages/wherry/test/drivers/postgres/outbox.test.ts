import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import pg from 'pg';
import {
  LeaseLostError,
  QueueFullError,
  StorageError,
  ValidationError,
} from '../../../src/core/errors.ts';
import type { CallerTransaction } from '../../../src/core/transaction.ts';
import { createPostgresDriver } from '../../../src/drivers/postgres/index.ts';
import { MessageQueueSystem } from '../../../src/message-queue-system.ts';
import { ManualClock } from '../../../src/testing/manual-clock.ts';
import { startPostgres } from '../../servers/postgres.ts';
import { poll } from '../../servers/server-process.ts';
import { LIBRARIES } from './libraries.ts';

const postgres = await startPostgres();
const url = await postgres.createDatabase();
const clock = new ManualClock();
const mq = await MessageQueueSystem.open({ storage: createPostgresDriver({ url, clock }), clock });
const pool = new pg.Pool({ connectionString: url });
await pool.query('CREATE TABLE orders (name text)');
after(async () => {
  await mq.close();
  await pool.end();
  await postgres.stop();
});

let queues = 0;

/** @returns the name of a new queue */
async function createQueue(settings: object = {}): Promise<string> {
  const name = `queue ${(queues += 1)}`;
  await mq.createQueue({ name, ...settings });
  return name;
}

class RollBack extends Error {}

/** Runs `work` in a transaction of pg. */
async function transaction(
  work: (tx: pg.PoolClient) => Promise<unknown>,
  end: 'COMMIT' | 'ROLLBACK' = 'COMMIT',
  begin = 'BEGIN',
): Promise<void> {
  const tx = await pool.connect();
  await tx.query(begin);
  try {
    await work(tx);
    await tx.query(end);
  } catch (error) {
    await tx.query('ROLLBACK');
    throw error;
  } finally {
    tx.release();
  }
}

async function counts(queue: string): Promise<number[]> {
  const { ready, scheduled, leased } = await mq.getQueueInfo(queue);
  return [ready, scheduled, leased];
}

async function payloads(queue: string): Promise<unknown[]> {
  const deliveries = await mq.receiveMessage(queue, 'reader', { max: 100, waitMs: 0 });
  for (const delivery of deliveries) await delivery.acknowledge();
  return deliveries.map(({ payload }) => payload);
}

describe("in the caller's transaction", () => {
  for (const [name, open] of Object.entries(LIBRARIES)) {
    test(`of ${name}, what is sent is there when it commits, and never if it rolls back`, async () => {
      const library = open(url);
      const queue = await createQueue();
      const send = async (tx: CallerTransaction): Promise<void> => {
        const id = await mq.sendMessage(
          queue,
          { payload: { text: 'é"\\' }, headers: { a: '$1 ?' } },
          { tx },
        );
        assert.match(id, /^[0-9a-f]{32}$/);
        const bytes = { payload: new Uint8Array([0, 255, 92]), groupId: 'g', ttl: '1h' };
        const results = await mq.sendBatch<unknown>(queue, [{ payload: 'text' }, bytes], { tx });
        assert.deepEqual(
          results.map(({ ok }) => ok),
          [true, true],
        );
        assert.deepEqual(await counts(queue), [0, 0, 0]);
        assert.deepEqual(await payloads(queue), []);
      };
      try {
        const failed = library.transaction(async (tx) => {
          await send(tx);
          throw new RollBack();
        });
        await assert.rejects(failed, RollBack);
        assert.deepEqual(await counts(queue), [0, 0, 0]);
        await library.transaction(send);
        assert.deepEqual(await counts(queue), [3, 0, 0]);
        const received = await payloads(queue);
        assert.deepEqual(received, [{ text: 'é"\\' }, 'text', new Uint8Array([0, 255, 92])]);
      } finally {
        await library.close();
      }
    });

    test(`of ${name}, what is acknowledged is gone when it commits, and still held if it rolls back`, async () => {
      const library = open(url);
      const queue = await createQueue({ leaseDuration: 1_000 });
      await mq.sendMessage(queue, { payload: 1 });
      const delivery = await mq.receiveMessage(queue, 'worker', { waitMs: 0 });
      const settle = (tx: CallerTransaction): Promise<void> =>
        mq.acknowledgeMessage(delivery!.id, 'worker', { tx });
      try {
        const failed = library.transaction(async (tx) => {
          await settle(tx);
          throw new RollBack();
        });
        await assert.rejects(failed, RollBack);
        assert.deepEqual(await counts(queue), [0, 0, 1]);
        assert.deepEqual(await payloads(queue), []);
        await library.transaction(async (tx) => {
          await settle(tx);
          assert.deepEqual(await counts(queue), [0, 0, 1]);
        });
        assert.deepEqual(await counts(queue), [0, 0, 0]);
        await assert.rejects(library.transaction(settle));
      } finally {
        await library.close();
      }
    });
  }

  test('a message whose acknowledgement was rolled back is delivered again after its lease', async () => {
    const queue = await createQueue({ leaseDuration: 1_000 });
    await mq.sendMessage(queue, { payload: 1 });
    const delivery = await mq.receiveMessage(queue, 'worker', { waitMs: 0 });
    await transaction((tx) => delivery!.acknowledge({ tx }), 'ROLLBACK');
    clock.advance(1_001);
    await poll(async () => (await counts(queue))[2] === 0, 'the lease has ended');
    clock.advance(60_000);
    let again: typeof delivery = null;
    await poll(async () => {
      again = await mq.receiveMessage(queue, 'worker', { waitMs: 0 });
      return again !== null;
    }, 'it is delivered again');
    assert.equal(again!.deliveryCount, 2);
    await assert.rejects(
      transaction((tx) => delivery!.acknowledge({ tx })),
      LeaseLostError,
    );
    await transaction((tx) => again!.acknowledge({ tx }));
    assert.deepEqual(await counts(queue), [0, 0, 0]);
  });

  test('of two that acknowledge the same message, one is told that it lost', async () => {
    const queue = await createQueue();
    await mq.sendMessage(queue, { payload: 1 });
    const delivery = await mq.receiveMessage(queue, 'worker', { waitMs: 0 });
    const id = delivery!.id;
    const each = [1, 2, 3].map(() =>
      transaction((tx) => mq.acknowledgeMessage(id, 'worker', { tx })),
    );
    const ends = await Promise.allSettled(each);
    assert.equal(ends.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.deepEqual(await counts(queue), [0, 0, 0]);
  });

  test('several messages of one batch are acknowledged side by side, each by itself', async () => {
    const queue = await createQueue();
    await mq.sendBatch(
      queue,
      [1, 2, 3, 4].map((payload) => ({ payload })),
    );
    const deliveries = await mq.receiveMessage(queue, 'worker', { max: 4, waitMs: 0 });
    assert.equal(deliveries.length, 4);
    // None waits for another's end: all four are open at the same time.
    const open = await Promise.all(
      deliveries.map(async (delivery) => {
        const tx = await pool.connect();
        await tx.query('BEGIN');
        await delivery.acknowledge({ tx });
        return tx;
      }),
    );
    const [last, ...others] = open;
    for (const tx of others) {
      await tx.query('COMMIT');
      tx.release();
    }
    await last!.query('ROLLBACK');
    last!.release();
    assert.deepEqual(await counts(queue), [0, 0, 1]);
  });

  test('a lease can be extended while its acknowledgement waits for the commit', async () => {
    const queue = await createQueue({ leaseDuration: 1_000 });
    await mq.sendMessage(queue, { payload: 1 });
    const delivery = await mq.receiveMessage(queue, 'worker', { waitMs: 0 });
    await transaction(async (tx) => {
      await delivery!.acknowledge({ tx });
      await mq.extendLease(delivery!.id, 'worker', 5_000);
    });
    assert.deepEqual(await counts(queue), [0, 0, 0]);
  });

  test('deduplication holds within a transaction, and between two', async () => {
    const queue = await createQueue({ deduplicationWindow: '1m' });
    const message = { payload: 1, deduplicationId: 'once' };
    await transaction(async (tx) => {
      const first = await mq.sendMessage(queue, message, { tx });
      const [second] = await mq.sendBatch(queue, [message], { tx });
      assert.deepEqual(second, { ok: true, id: first, duplicate: true });
    }, 'ROLLBACK');
    // Rolled back, nothing is remembered.
    const ids: string[] = [];
    let other: Promise<void> | undefined;
    await transaction(async (tx) => {
      ids.push(await mq.sendMessage(queue, message, { tx }));
      other = transaction(async (tx2) => {
        ids.push(await mq.sendMessage(queue, message, { tx: tx2 }));
      });
      await new Promise((resolve) => setImmediate(resolve));
    });
    await other;
    assert.equal(ids.length, 2);
    assert.equal(ids[0], ids[1]);
    assert.deepEqual(await counts(queue), [1, 0, 0]);
  });

  test('bounds hold, also between transactions, and a refusal leaves the transaction whole', async () => {
    const queue = await createQueue({ maxSize: 3 });
    await transaction(async (tx) => {
      await tx.query("INSERT INTO orders VALUES ('kept')");
      await mq.sendMessage(queue, { payload: 1 }, { tx });
      const results = await mq.sendBatch(
        queue,
        [2, 3, 4].map((payload) => ({ payload })),
        { tx },
      );
      assert.deepEqual(
        results.map(({ ok }) => ok),
        [true, true, false],
      );
      await assert.rejects(mq.sendMessage(queue, { payload: 5 }, { tx }), QueueFullError);
    });
    assert.deepEqual(await counts(queue), [3, 0, 0]);
    assert.equal((await pool.query("SELECT FROM orders WHERE name = 'kept'")).rowCount, 1);
    await mq.purgeQueue(queue);
    const sends = Array.from({ length: 8 }, (_, payload) =>
      transaction((tx) => mq.sendMessage(queue, { payload }, { tx })),
    );
    const ends = await Promise.allSettled(sends);
    assert.equal(ends.filter(({ status }) => status === 'fulfilled').length, 3);
    assert.deepEqual(await counts(queue), [3, 0, 0]);
  });

  test("a full queue whose overflow is 'block' refuses at once (G8)", async () => {
    const queue = await createQueue({ maxSize: 1, overflow: 'block' });
    await transaction(async (tx) => {
      await mq.sendMessage(queue, { payload: 1 }, { tx });
      await assert.rejects(mq.sendMessage(queue, { payload: 2 }, { tx }), QueueFullError);
      const waiting = { tx, blockTimeout: 1_000 };
      await assert.rejects(mq.sendMessage(queue, { payload: 3 }, waiting), ValidationError);
    });
    assert.deepEqual(await payloads(queue), [1]);
  });

  test('a full batch is all or nothing, and a message reaches all queues or none', async () => {
    const [one, other] = [await createQueue({ maxSize: 2 }), await createQueue()];
    await mq.createExchange({ name: 'both', type: 'fanout' });
    for (const queue of [one, other]) await mq.bind({ exchange: 'both', queue });
    await transaction(async (tx) => {
      const results = await mq.sendBatch(
        one,
        [1, 2, 3].map((payload) => ({ payload })),
        { tx, atomic: true },
      );
      assert.deepEqual(
        results.map(({ ok }) => ok),
        [false, false, false],
      );
      const publish = () => mq.publish('both', '', { payload: 'all' }, { tx });
      const { ids } = await publish();
      assert.equal(new Set(ids).size, 2);
      await publish();
      await assert.rejects(publish(), QueueFullError);
    });
    assert.deepEqual(
      [await payloads(one), await payloads(other)],
      [
        ['all', 'all'],
        ['all', 'all'],
      ],
    );
  });

  test('a long one keeps nobody else from sending and receiving, and loses nothing', async () => {
    const queue = await createQueue();
    await transaction(async (tx) => {
      await mq.sendMessage(queue, { payload: 'late' }, { tx });
      for (const payload of [1, 2, 3]) await mq.sendMessage(queue, { payload });
      assert.deepEqual(await payloads(queue), [1, 2, 3]);
    });
    await mq.sendMessage(queue, { payload: 4 });
    assert.deepEqual(new Set(await payloads(queue)), new Set([4, 'late']));
  });

  test('consumers of other processes are woken when it commits', async () => {
    const queue = await createQueue();
    await using other = await MessageQueueSystem.open({ storage: url });
    const handled: unknown[] = [];
    await other.createConsumer({
      id: 'elsewhere',
      queueName: queue,
      // So that it is not by chance.
      pollInterval: '1h',
      handler: ({ payload }) => void handled.push(payload),
    });
    await poll(async () => {
      await transaction((tx) => mq.sendMessage(queue, { payload: 'wake up' }, { tx }));
      return handled.length > 0;
    }, 'it is handled');
  });

  test('a failed one says that it can only be rolled back', async () => {
    const queue = await createQueue();
    await transaction(async (tx) => {
      await assert.rejects(tx.query('SELECT 1 / 0'));
      await assert.rejects(mq.sendMessage(queue, { payload: 1 }, { tx }), (error) => {
        assert.ok(error instanceof StorageError);
        assert.equal(error.code, 'TRANSACTION_ABORTED');
        return true;
      });
    }, 'ROLLBACK');
  });

  test('of a stricter isolation works where nothing has to be counted', async () => {
    for (const level of ['REPEATABLE READ', 'SERIALIZABLE']) {
      const begin = `BEGIN ISOLATION LEVEL ${level}`;
      const [free, bounded] = [await createQueue(), await createQueue({ maxSize: 5 })];
      await transaction(
        async (tx) => {
          await tx.query('SELECT count(*) FROM orders');
          await mq.sendMessage(free, { payload: 1 }, { tx });
        },
        'COMMIT',
        begin,
      );
      const delivery = await mq.receiveMessage(free, 'worker', { waitMs: 0 });
      await transaction((tx) => delivery!.acknowledge({ tx }), 'COMMIT', begin);
      assert.deepEqual(await counts(free), [0, 0, 0]);
      const refused = transaction(
        (tx) => mq.sendMessage(bounded, { payload: 1 }, { tx }),
        'COMMIT',
        begin,
      );
      await assert.rejects(refused, /READ COMMITTED/);
    }
  });
});
