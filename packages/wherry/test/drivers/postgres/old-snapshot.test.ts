import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import pg from 'pg';
import type { Driver } from '../../../src/core/driver.ts';
import { createPostgresDriver } from '../../../src/drivers/postgres/index.ts';
import { createQueue, newMessage } from '../redis/fixture.ts';
import { startPostgres } from '../../servers/postgres.ts';

const postgres = await startPostgres();
after(() => postgres.stop());

const DEAD = 400;
const ROUNDS = 40;
/** Look-ups by key: each reads an entry or two. With all that died it would be hundreds. */
const READS_MAX = 30;

test('under an old snapshot, a lease is found without walking over those that are gone', async (t) => {
  const url = await postgres.createDatabase();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.after(() => client.end());
  const opened = async (): Promise<Driver> => {
    const driver = createPostgresDriver({ url });
    await driver.open();
    return driver;
  };
  const first = await opened();
  const queue = await createQueue(first, 'queue');
  const rounds = async (driver: Driver, count: number): Promise<void> => {
    for (let round = 0; round < count; round += 1) {
      await driver.publish([{ targets: [queue], message: newMessage(String(round)) }]);
      const { messages } = await driver.take({
        queue,
        consumerId: 'consumer',
        max: 1,
        leaseDuration: 60_000,
        bound: false,
        perGroup: 1,
      });
      const receipts = messages.map(({ id, lease }) => ({ queue, id, token: lease.token }));
      assert.deepEqual(await driver.settle(receipts), []);
    }
  };
  /** What a session has read is told at its end. */
  const readsOf = async (): Promise<number> => {
    const { rows } = await client.query<{ reads: string }>(
      `SELECT sum(idx_tup_read) AS reads FROM pg_stat_user_indexes WHERE relname = 'lease'`,
    );
    return Number(rows[0]!.reads);
  };

  const reader = new pg.Client({ connectionString: url });
  await reader.connect();
  t.after(() => reader.end());
  await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  await reader.query('SELECT count(*) FROM pg_class');
  await rounds(first, DEAD);
  await first.close();
  // As autovacuum leaves it: almost nothing is alive, so a look at everything seems to cost little.
  await client.query('ANALYZE wherry.lease');
  const before = await readsOf();
  const second = await opened();
  await rounds(second, ROUNDS);
  await second.close();
  const reads = ((await readsOf()) - before) / ROUNDS;
  t.diagnostic(`${reads} entries of leases read for a message, beside ${DEAD} that are gone`);
  assert.ok(reads > 0 && reads <= READS_MAX, `${reads} entries read for a message`);
});
