import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import pg from 'pg';
import type { PostgresDriverOptions } from '../../../src/drivers/postgres/options.ts';
import { examinePostgres } from '../../../src/drivers/postgres/doctor.ts';
import { type Surroundings, warningsOf } from '../../../src/drivers/postgres/surroundings.ts';
import { MessageQueueSystem } from '../../../src/message-queue-system.ts';
import { startPostgres } from '../../servers/postgres.ts';
import { rejection } from './fixture.ts';

const postgres = await startPostgres();
after(() => postgres.stop());

/** @returns the URL of a store whose queue has messages of every kind, and is open nowhere */
async function makeStore(): Promise<string> {
  const url = await postgres.createDatabase();
  await using mq = await MessageQueueSystem.open({ storage: url });
  await mq.createQueue({ name: 'queue', leaseDuration: '1h' });
  for (const priority of [0, 7]) {
    await mq.sendBatch(
      'queue',
      Array.from({ length: 10 }, () => ({ payload: 'text', priority })),
    );
  }
  await mq.sendMessage('queue', { payload: 'later', delay: '1h' });
  await mq.sendMessage('queue', { payload: 'grouped', groupId: 'g' });
  assert.equal((await mq.receiveMessage('queue', 'holder', { max: 12 })).length, 12);
  return url;
}

async function change(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

const options = (url: string): PostgresDriverOptions & { repair: boolean } => ({
  url,
  repair: true,
});

describe('the doctor', () => {
  test('finds nothing wrong with a healthy store, in use or not', async () => {
    const url = await makeStore();
    const progress: number[] = [];
    const report = await examinePostgres({ url, onProgress: (n) => progress.push(n) });
    assert.deepEqual(report.problems, []);
    assert.equal(report.schema, 'wherry');
    assert.equal(report.queues, 2, 'with the dead letters');
    assert.equal(report.messages, 22);
    assert.equal(progress.at(-1), 22);
    assert.ok(report.server.fsync && report.latency > 0);
    assert.ok(Math.abs(report.clockDifference) < 1_000);
    assert.ok(report.tables.some(({ name, bytes }) => name === 'message' && bytes > 0));
    await using mq = await MessageQueueSystem.open({ storage: url });
    const sending = Promise.all(
      Array.from({ length: 200 }, (_, payload) => mq.sendMessage('queue', { payload })),
    );
    assert.deepEqual((await examinePostgres({ url })).problems, []);
    await sending;
  });

  test('says that there is no store', async () => {
    const url = await postgres.createDatabase();
    await rejection(examinePostgres({ url }), 'STORAGE_MIGRATION');
  });

  const damages: Record<string, [code: string, statement: string]> = {
    'wrong counters': [
      'counters',
      'UPDATE wherry.frontier SET ready = ready + 5, bytes = bytes - 7, scheduled = scheduled + 1',
    ],
    'leased messages that nobody holds': ['unheld', 'DELETE FROM wherry.lease'],
    'messages where nobody looks': ['unlisted', 'DELETE FROM wherry.lane'],
  };
  for (const [what, [code, statement]] of Object.entries(damages)) {
    test(`finds and mends ${what}`, async () => {
      const url = await makeStore();
      await change(url, statement);
      const codes = async (repair: boolean): Promise<string[]> => {
        const { problems, repaired } = await examinePostgres({ url, repair });
        assert.equal(repaired, repair ? problems.length : 0);
        return [...new Set(problems.map((problem) => problem.code))];
      };
      assert.deepEqual(await codes(false), [code]);
      assert.deepEqual(await codes(true), [code]);
      assert.deepEqual(await codes(false), []);
      await using mq = await MessageQueueSystem.open({ storage: url });
      const { ready, scheduled, leased } = await mq.getQueueInfo('queue');
      assert.equal(ready + scheduled + leased, 22);
    });
  }

  test('finds queues of which only one half is there', async () => {
    const url = await makeStore();
    await change(
      url,
      "UPDATE wherry.topology SET kind = 'lost' WHERE name = 'queue'",
      `INSERT INTO wherry.topology (kind, name, number, version, revision, value)
       VALUES ('queue', 'half', 999, 1, 0, '{}')`,
    );
    const { problems, repaired } = await examinePostgres(options(url));
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['queue-without-entry', 'entry-without-queue'],
    );
    assert.equal(repaired, 1);
  });

  test('names who holds the oldest snapshot', async () => {
    const url = await makeStore();
    const holder = new pg.Client({ connectionString: url, application_name: 'nightly report' });
    await holder.connect();
    await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
    const { oldestSnapshot } = await examinePostgres({ url });
    assert.ok(oldestSnapshot);
    const { kind, pid, name, state } = oldestSnapshot;
    const facts = { kind: 'session', name: 'nightly report', state: 'idle in transaction' };
    assert.deepEqual({ kind, name, state }, facts);
    const { rows } = await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    assert.equal(pid, rows[0]!.pid);
    await holder.end();
  });

  test('warns of what may lose messages or make the store slow', async () => {
    const { server, latency, clockDifference, tables } = await examinePostgres(
      options(await makeStore()),
    );
    const healthy: Surroundings = {
      server,
      latency,
      clockDifference,
      tables,
      oldestSnapshot: null,
    };
    assert.deepEqual(warningsOf(healthy), []);
    const holder = { kind: 'session', pid: 7, name: '', state: 'active', transactions: 3 } as const;
    const table = {
      name: 'message',
      bytes: 0,
      liveRows: 1_000,
      deadRows: 600_000,
      sinceVacuum: null,
    };
    const sick: [string, Partial<Surroundings>, RegExp][] = [
      ['durability', { server: { ...server, fsync: false } }, /fsync = off/],
      [
        'durability',
        { server: { ...server, synchronousCommit: 'off' } },
        /synchronous_commit = off/,
      ],
      ['clock', { clockDifference: -5_000 }, /-5000 ms ahead/],
      ['latency', { latency: 33.33 }, /33\.3 ms/],
      [
        'old-snapshot',
        { oldestSnapshot: { ...holder, age: 61_000 } },
        /process 7, active, for 61 s/,
      ],
      ['dead-rows', { tables: [table] }, /'message' has 600000 dead rows; it was vacuumed never/],
    ];
    for (const [code, part, message] of sick) {
      const [warning, ...others] = warningsOf({ ...healthy, ...part });
      assert.equal(warning?.code, code);
      assert.match(warning.message, message);
      assert.deepEqual(others, []);
    }
  });
});
