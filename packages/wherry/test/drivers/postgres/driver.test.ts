import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';
import pg from 'pg';
import { StorageError } from '../../../src/core/errors.ts';
import { createPostgresDriver } from '../../../src/drivers/postgres/index.ts';
import type { PostgresDriverOptions } from '../../../src/drivers/postgres/options.ts';
import { MessageQueueSystem } from '../../../src/message-queue-system.ts';
import { ManualClock } from '../../../src/testing/index.ts';
import { startPostgres } from '../../servers/postgres.ts';
import { poll } from '../../servers/server-process.ts';
import { rejection } from './fixture.ts';

const postgres = await startPostgres();
after(() => postgres.stop());

function open(options: PostgresDriverOptions): Promise<MessageQueueSystem> {
  return MessageQueueSystem.open({ storage: createPostgresDriver(options) });
}

async function sessions(url: string): Promise<number> {
  const [row] = await postgres.query(
    'SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = $1',
    [new URL(url).pathname.slice(1)],
  );
  return row!['n'] as number;
}

/** Handles every message of the queue 'q', woken by nothing but the store. */
async function consume(mq: MessageQueueSystem): Promise<unknown[]> {
  const handled: unknown[] = [];
  await mq.createConsumer({
    id: 'worker',
    queueName: 'q',
    pollInterval: '1h',
    handler: ({ payload }) => void handled.push(payload),
  });
  return handled;
}

describe('the store', () => {
  test('is opened by a URL, in a schema of its own', async () => {
    const url = await postgres.createDatabase();
    await using one = await MessageQueueSystem.open({ storage: `${url}?wherry_schema=one` });
    await using other = await MessageQueueSystem.open({
      storage: `${url.replace('postgres:', 'postgresql:')}?wherry_schema=other`,
    });
    await one.createQueue({ name: 'q' });
    await one.sendMessage('q', { payload: 1 });
    await other.createQueue({ name: 'q' });
    assert.equal(await other.receiveMessage('q', 'c'), null);
    assert.equal(one.storage.name, 'postgres');
    assert.equal(one.storage.supports.durability, 'power');
  });

  test('is not made by an open that may not migrate', async () => {
    const url = await postgres.createDatabase();
    await rejection(open({ url, migrate: false }), 'STORAGE_MIGRATION');
    await (await open({ url })).close();
    await (await open({ url, migrate: false })).close();
  });

  test('warns where a crash of the server may lose what was confirmed', async () => {
    const url = await postgres.createDatabase();
    const name = new URL(url).pathname.slice(1);
    await postgres.query(`ALTER DATABASE ${name} SET synchronous_commit = off`);
    const warned = once(process, 'warning');
    await using mq = await open({ url });
    const [warning] = (await warned) as [Error & { code?: string }];
    assert.equal(warning.code, 'WHERRY_POSTGRES_DURABILITY');
    assert.match(warning.message, /synchronous_commit = off/);
    assert.equal(mq.storage.supports.durability, 'none');
  });

  test('leaves nothing behind when it is closed', async () => {
    const url = await postgres.createDatabase();
    const before = process.getActiveResourcesInfo();
    for (let n = 0; n < 3; n += 1) {
      const mq = await open({ url });
      await mq.createQueue({ name: `q${n}` });
      await mq.sendMessage(`q${n}`, { payload: n });
      await mq.receiveMessage(`q${n}`, 'c');
      await mq.close();
    }
    await poll(async () => (await sessions(url)) === 0, 'all sessions have ended');
    await poll(
      () => process.getActiveResourcesInfo().length <= before.length,
      'no socket and no timer is left',
    );
  });

  test("works on a pool of the caller's, which stays as it was", async () => {
    const pool = new pg.Pool({ connectionString: await postgres.createDatabase(), max: 2 });
    const mq = await open({ pool });
    await mq.createQueue({ name: 'q' });
    const handled = await consume(mq);
    await mq.sendMessage('q', { payload: 1 });
    await poll(() => handled.length === 1, 'it is handled');
    await mq.close();
    assert.equal(pool.waitingCount, 0);
    assert.deepEqual((await pool.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
    await pool.end();
  });

  for (const listen of [true, false]) {
    const how = listen ? 'wakes' : 'is looked at in vain no longer than a second by';
    test(`${how} consumers of other processes`, async () => {
      const url = await postgres.createDatabase();
      await using sender = await open({ url });
      await sender.createQueue({ name: 'q' });
      await using receiver = await open({ url, listen });
      const handled = await consume(receiver);
      for (let n = 1; n <= 3; n += 1) {
        await sender.sendMessage('q', { payload: n });
        await poll(() => handled.length === n, `message ${n} is handled`, 5_000);
      }
      // Queues made by others are seen as soon.
      await sender.createQueue({ name: 'new' });
      await poll(
        () => receiver.listQueues().some(({ name }) => name === 'new'),
        'it is seen',
        5_000,
      );
    });
  }

  test('hands out the first of all, however many have come up since the last take', async () => {
    const clock = new ManualClock();
    await using mq = await open({ url: await postgres.createDatabase(), clock });
    await mq.createQueue({ name: 'q' });
    // More than one call admits, and promotes.
    const crowd = Array.from({ length: 2_500 }, (_, n) => n);
    await mq.sendBatch<unknown>('q', [
      ...crowd.map((n) => ({ payload: n, groupId: `group ${n}` })),
      { payload: 'arrived', groupId: 'urgent', priority: 9 },
      ...crowd.map((n) => ({ payload: n, delay: 10 })),
      { payload: 'due', priority: 8, delay: 20 },
    ]);
    clock.advance(20);
    const first = await mq.receiveMessage('q', 'c', { max: 3 });
    assert.deepEqual(
      first.map(({ payload }) => payload),
      ['arrived', 'due', 0],
    );
    assert.equal((await mq.getQueueInfo('q')).messageCount, 5_002);
  });

  for (const [fault, cause] of Object.entries({
    'its sessions are ended': async (): Promise<unknown> =>
      postgres.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'",
      ),
    'the server is restarted': (): Promise<unknown> => postgres.restart('fast'),
    'the server crashes': async (): Promise<void> => {
      await postgres.kill();
      await postgres.restart();
    },
  })) {
    test(`goes on by itself when ${fault}`, async () => {
      const url = await postgres.createDatabase();
      await using sender = await open({ url });
      await sender.createQueue({ name: 'q' });
      await using receiver = await open({ url });
      const handled = await consume(receiver);
      await sender.sendMessage('q', { payload: 'before' });
      await poll(() => handled.length === 1, 'it is handled');
      await cause();
      await poll(
        () =>
          sender.sendMessage('q', { payload: 'after' }).then(
            () => true,
            (error: unknown) => {
              assert.ok(error instanceof StorageError && error.retriable, String(error));
              return false;
            },
          ),
        'a message can be sent',
      );
      await poll(() => handled.includes('after'), 'it is handled', 10_000);
      const [before] = handled;
      assert.equal(before, 'before');
    });
  }
});
