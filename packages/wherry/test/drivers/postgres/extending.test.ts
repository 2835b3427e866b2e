/** Extensions split a lease into parts; whoever ends its messages meanwhile must find them all the same. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import type { QueueRef, Receipt, Transaction } from '../../../src/core/driver.ts';
import { transactionOf } from '../../../src/core/transaction.ts';
import { Fixture, LEASE_MS, receiptOf } from '../../../src/testing/suite/fixture.ts';
import { type PostgresServer, startPostgres } from '../../servers/postgres.ts';
import { poll } from '../../servers/server-process.ts';
import { TestStores } from './stores.ts';

const MESSAGES = 30;
const ROUNDS = 10;
/** How many messages an extension is of. */
const TOGETHER = 3;

let postgres: PostgresServer;
let stores: TestStores;
let pool: pg.Pool;

before(async () => {
  postgres = await startPostgres();
  const url = await postgres.createDatabase();
  stores = new TestStores(url);
  pool = new pg.Pool({ connectionString: url, max: 20 });
});

after(async () => {
  await pool.end();
  await stores.close();
  await postgres.stop();
});

async function inTransaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await work(transactionOf(client));
    await client.query('COMMIT');
    return result;
  } finally {
    client.release();
  }
}

/** Works on one held message. @returns whether it was told that the lease is lost */
type End = (store: Fixture, receipt: Receipt, other: QueueRef) => Promise<boolean>;

const ENDS: Readonly<Record<string, End>> = {
  settle: async ({ driver }, receipt) => (await driver.settle([receipt])).length > 0,
  'settle in a transaction': ({ driver }, receipt) =>
    inTransaction(
      async (transaction) => (await driver.settle([receipt], { transaction })).length > 0,
    ),
  release: async ({ driver }, receipt) =>
    (await driver.release([{ receipt, delay: 0, as: 'retry' }])).length > 0,
  move: async ({ driver }, receipt, other) => {
    const [outcome] = await driver.move([{ receipt, targets: [other] }]);
    return outcome!.status !== 'moved';
  },
  extend: async ({ driver }, receipt) =>
    (await driver.extend([{ receipt, leaseDuration: LEASE_MS }])).length > 0,
};

/** Where the messages of a round are then, by how they ended. */
const LEFT: Readonly<Record<string, { ready: number; leased: number; other: number }>> = {
  settle: { ready: 0, leased: 0, other: 0 },
  'settle in a transaction': { ready: 0, leased: 0, other: 0 },
  release: { ready: MESSAGES, leased: 0, other: 0 },
  move: { ready: 0, leased: 0, other: MESSAGES },
  extend: { ready: 0, leased: MESSAGES, other: 0 },
};

describe('beside extensions of messages of the same lease', () => {
  for (const [name, end] of Object.entries(ENDS)) {
    test(`${name} finds what is held`, async () => {
      let lost = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const store = await Fixture.create((clock) => stores.create(clock));
        try {
          lost += await endAll(store, end, LEFT[name]!);
        } finally {
          await store.remove();
        }
      }
      assert.equal(lost, 0, `of ${ROUNDS * MESSAGES}`);
    });
  }
});

test('settle in a transaction finds what is extended while it waits', async () => {
  const store = await Fixture.create((clock) => stores.create(clock));
  const other = await pool.connect();
  try {
    const queue = await store.createQueue('queue');
    await store.sendAll(queue, ['a', 'b']);
    const [receipt] = (await store.take(queue)).map((leased) => receiptOf(queue, leased));
    await other.query('BEGIN');
    await other.query(`SELECT FROM ${await schemaOfMessages()}.message FOR UPDATE`);
    const settling = inTransaction((tx) => store.driver.settle([receipt!], { transaction: tx }));
    await poll(isSomebodyWaiting, 'the settlement to wait');
    const lease = { receipt: receipt!, leaseDuration: LEASE_MS };
    assert.deepEqual(await store.driver.extend([lease]), []);
    await other.query('COMMIT');
    assert.deepEqual(await settling, []);
    assert.deepEqual(await store.states(queue), { ready: 0, scheduled: 0, leased: 1 });
  } finally {
    other.release(true);
    await store.remove();
  }
});

async function schemaOfMessages(): Promise<string> {
  const { rows } = await pool.query<{ schema: string }>(
    "SELECT schemaname AS schema FROM pg_tables WHERE tablename = 'message'",
  );
  return rows[0]!.schema;
}

async function isSomebodyWaiting(): Promise<boolean> {
  const { rowCount } = await pool.query(
    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
  );
  return rowCount! > 0;
}

/** @returns how many were lost */
async function endAll(
  store: Fixture,
  end: End,
  left: { ready: number; leased: number; other: number },
): Promise<number> {
  const [queue, other] = [await store.createQueue('queue'), await store.createQueue('other')];
  await store.sendAll(
    queue,
    Array.from({ length: MESSAGES }, () => 'text'),
  );
  const receipts = (await store.take(queue)).map((leased) => receiptOf(queue, leased));
  const lost = await Promise.all(
    receipts.map(async (receipt, index) => {
      const together = receipts.slice(index, index + TOGETHER);
      const extending = store.driver.extend(
        together.map((one) => ({ receipt: one, leaseDuration: LEASE_MS })),
      );
      const [isLost] = await Promise.all([end(store, receipt, other), extending]);
      return isLost;
    }),
  );
  const count = lost.filter(Boolean).length;
  if (count === 0) {
    const [{ ready, leased }, { ready: moved }] = [
      await store.states(queue),
      await store.states(other),
    ];
    assert.deepEqual({ ready, leased, other: moved }, left);
  }
  return count;
}
