/** What docs/postgres.md tells operators: users, TLS, what a crash loses, backups. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client } from 'pg';
import { createPostgresDriver } from '../../../src/drivers/postgres/index.ts';
import { applyMigrations } from '../../../src/drivers/postgres/migrations.ts';
import { MessageQueueSystem } from '../../../src/message-queue-system.ts';
import { ManualClock } from '../../../src/testing/index.ts';
import {
  POSTGRES_USER,
  type PostgresOptions,
  type PostgresServer,
  startPostgres,
} from '../../servers/postgres.ts';
import { runAs } from '../../servers/server-process.ts';
import { runSuite } from '../planted/plant.ts';
import { BOUND_LEASES_GO_ON } from '../redis/gaps.ts';
import { connect, rejection } from './fixture.ts';
import { TestStores } from './stores.ts';

function open(url: string): Promise<MessageQueueSystem> {
  return MessageQueueSystem.open({ storage: url, queues: [{ name: 'q' }] });
}

/** Runs statements in a database, as its superuser. */
async function run(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const text of statements) ({ rows } = await client.query(text));
    return rows;
  } finally {
    await client.end();
  }
}

function as(user: string, url: string): string {
  const { port, pathname } = new URL(url);
  return `postgres://${user}@127.0.0.1:${port}${pathname}`;
}

describe('a user', () => {
  let postgres: PostgresServer;
  before(async () => {
    postgres = await startPostgres();
    await run(postgres.url, 'CREATE ROLE maker LOGIN', 'CREATE ROLE worker LOGIN');
  });
  after(() => postgres.stop());

  test('who may create in the database makes the store, or who was given a schema', async () => {
    const [open1, given] = [await postgres.createDatabase(), await postgres.createDatabase()];
    await rejection(open(as('maker', open1)), 'STORAGE_AUTH');
    await run(open1, `GRANT CREATE ON DATABASE ${new URL(open1).pathname.slice(1)} TO maker`);
    await (await open(as('maker', open1))).close();
    await run(given, 'CREATE SCHEMA wherry AUTHORIZATION maker');
    await (await open(as('maker', given))).close();
  });

  test('who uses the store needs its tables and sequences, and owns nothing', async () => {
    const url = await postgres.createDatabase();
    await run(url, 'CREATE SCHEMA store_1 AUTHORIZATION maker');
    const maker = await connect({ url: as('maker', url), schema: 'store_1' });
    await applyMigrations(maker);
    await maker.close();
    const worker = as('worker', url);
    const opening = createPostgresDriver({ url: worker, schema: 'store_1', migrate: false }).open();
    await rejection(opening, 'STORAGE_AUTH');
    await run(
      url,
      'GRANT USAGE ON SCHEMA store_1 TO worker',
      'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA store_1 TO worker',
      'GRANT USAGE ON ALL SEQUENCES IN SCHEMA store_1 TO worker',
    );
    const stores = new TestStores(worker);
    const used =
      /^(G1 a mess|G4|G6|G7|G8|G12 .*keepLast|G13|two sweepers|a purge|a queue|a sweep|an entry|watchers|takers|pages)/;
    const { failed, passed } = await runSuite({
      createStore: (clock) => stores.create(clock),
      gaps: BOUND_LEASES_GO_ON,
      only: (title) => used.test(title) && !title.includes('random histories'),
    });
    await stores.close();
    assert.deepEqual(failed, []);
    assert.ok(passed.length > 50, String(passed.length));
  });
});

test('TLS: the certificate must be trusted, unless told otherwise', async (t) => {
  const postgres = await startPostgres();
  t.after(() => postgres.stop());
  const [key, certificate] = ['key.pem', 'cert.pem'].map((name) => join(postgres.folder, name));
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', key!, '-out', certificate!];
  runAs(POSTGRES_USER, 'openssl', [
    'req',
    '-x509',
    '-nodes',
    '-newkey',
    'rsa:2048',
    ...subject,
    ...files,
  ]);
  await run(
    postgres.url,
    `ALTER SYSTEM SET ssl_key_file = '${key}'`,
    `ALTER SYSTEM SET ssl_cert_file = '${certificate}'`,
    'ALTER SYSTEM SET ssl = on',
  );
  await postgres.restart();
  const url = await postgres.createDatabase();
  for (const mode of ['require', 'verify-ca', 'verify-full']) {
    const error = await rejection(open(`${url}?sslmode=${mode}`), 'STORAGE_AUTH');
    assert.match(error.message, /certificate is not trusted/);
  }
  for (const parameters of [
    `sslmode=verify-full&sslrootcert=${certificate}`,
    'sslmode=no-verify',
  ]) {
    await using mq = await open(`${url}?${parameters}`);
    await mq.sendMessage('q', { payload: 1 });
    const sessions = await postgres.query(
      "SELECT bool_and(ssl) AS all FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'wherry'",
    );
    assert.deepEqual(sessions, [{ all: true }]);
  }
});

describe('killed with all its processes, the server', () => {
  /** @returns how many of 5 confirmed messages are there again, and what the store said of itself */
  async function survivors(
    config: PostgresOptions['config'],
  ): Promise<{ readonly kept: number; readonly durability: string }> {
    // Nobody writes the log but who commits.
    const postgres = await startPostgres({ config: { wal_writer_delay: '10s', ...config! } });
    try {
      const url = await postgres.createDatabase();
      const mq = await open(url);
      const { durability } = mq.storage.supports;
      await postgres.query('CHECKPOINT');
      for (let n = 0; n < 5; n += 1) await mq.sendMessage('q', { payload: n });
      await postgres.kill();
      await postgres.restart();
      const { messageCount } = await mq.getQueueInfo('q');
      await mq.close();
      return { kept: messageCount, durability };
    } finally {
      await postgres.stop();
    }
  }

  test('loses nothing with synchronous_commit = on', async () => {
    assert.deepEqual(await survivors({}), { kept: 5, durability: 'power' });
  });

  test('loses the last moments with synchronous_commit = off', async () => {
    const { kept, durability } = await survivors({ synchronous_commit: 'off' });
    assert.ok(kept < 5, `${kept} are there`);
    assert.equal(durability, 'none');
  });

  test('loses nothing with fsync = off, while its machine goes on', async () => {
    assert.deepEqual(await survivors({ fsync: 'off' }), { kept: 5, durability: 'process' });
  });
});

test('a backup by pg_dump opens and goes on where it was', async (t) => {
  const postgres = await startPostgres();
  t.after(() => postgres.stop());
  const [from, to] = [await postgres.createDatabase(), await postgres.createDatabase()];
  const clock = new ManualClock();
  const openAt = (url: string): Promise<MessageQueueSystem> =>
    MessageQueueSystem.open({
      storage: createPostgresDriver({ url, clock }),
      queues: [{ name: 'q' }],
    });
  const original = await openAt(from);
  const ids: string[] = [];
  for (const payload of ['held', 'first', 'second']) {
    ids.push(await original.sendMessage('q', { payload }));
  }
  await original.sendMessage('q', { payload: 'later', delay: 1_000 });
  const held = await original.receiveMessage('q', 'c');
  const file = join(postgres.folder, 'backup');
  runAs(POSTGRES_USER, 'pg_dump', ['--format=custom', '--schema=wherry', `--file=${file}`, from]);
  await original.close();
  runAs(POSTGRES_USER, 'pg_restore', ['--exit-on-error', `--dbname=${to}`, file]);

  await using restored = await openAt(to);
  ids.push(await restored.sendMessage('q', { payload: 'new' }));
  assert.equal(new Set(ids).size, 4, 'ids go on');
  // The lease goes on, too: the message is its holder's until it ends.
  await restored.acknowledgeMessage(held!.id, 'c');
  clock.advance(1_000);
  const messages = await restored.receiveMessage('q', 'c', { max: 10 });
  assert.deepEqual(
    messages.map(({ payload }) => payload),
    ['first', 'second', 'later', 'new'],
  );
});
