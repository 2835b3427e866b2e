import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, describe, test } from 'node:test';
import pg from 'pg';
import { ClosedError, ValidationError } from '../../../src/core/errors.ts';
import { readOptions } from '../../../src/drivers/postgres/options.ts';
import { startPostgres } from '../../servers/postgres.ts';
import { freePort } from '../../servers/free-port.ts';
import { poll } from '../../servers/server-process.ts';
import { startProxy } from '../../servers/tcp-proxy.ts';
import { connect, rejection } from './fixture.ts';

// The default is a second, for each deadlock.
const postgres = await startPostgres({ config: { deadlock_timeout: '10ms' } });
after(() => postgres.stop());
const url = await postgres.createDatabase();

/** Ends all sessions of the tests' database, as an administrator would. */
async function terminateAll(): Promise<void> {
  await postgres.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'",
  );
}

describe('a connection', () => {
  test('says what is wrong when there is none', async () => {
    const port = await freePort();
    const refused = connect({ url: `postgres://postgres@127.0.0.1:${port}/x` });
    const error = await rejection(refused, 'STORAGE_UNAVAILABLE');
    assert.match(error.message, /cannot be reached.*ECONNREFUSED/);
    assert.ok(error.retriable);
    await rejection(
      connect({ url: `postgres://postgres@127.0.0.1:${postgres.port}/absent` }),
      'STORAGE_OPEN',
    );
    await rejection(
      connect({ url: `postgres://nobody@127.0.0.1:${postgres.port}/x` }),
      'STORAGE_AUTH',
    );
    await rejection(connect({ url: 'postgres://host.invalid/x' }), 'STORAGE_UNAVAILABLE');
  });

  test('refuses a server whose transactions do not see what others have done', async (t) => {
    const name = url.slice(url.lastIndexOf('/') + 1);
    const alter = `ALTER DATABASE ${name} SET default_transaction_isolation`;
    await postgres.query(`${alter} = 'repeatable read'`);
    t.after(() => postgres.query(`ALTER DATABASE ${name} RESET default_transaction_isolation`));
    const error = await rejection(connect({ url }), 'STORAGE_OPEN');
    assert.match(error.message, /'repeatable read'.*read committed/);
  });

  test('gives up a server that accepts and says nothing', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const opening = connect({ url: `postgres://postgres@127.0.0.1:${port}/x`, callTimeout: 200 });
    await rejection(opening, 'STORAGE_UNAVAILABLE');
    silent.close();
  });

  test('ends beside a server that hangs', async (t) => {
    const sockets = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = sockets();
    const connection = await connect({ url });
    const kept = await connection.keepClient();
    postgres.pause();
    t.after(() => postgres.continue());
    const begun = performance.now();
    await Promise.all([kept.close(), connection.close()]);
    assert.ok(performance.now() - begun < 5_000, 'it does not wait for a farewell for long');
    await poll(() => sockets() === before, 'no socket is left');
  });

  test('may be ended as soon as it is there', async () => {
    const message = (type: string, body: string): string =>
      `${type}\0\0\0${String.fromCharCode(4 + body.length)}${body}`;
    const welcome = message('R', '\0\0\0\0') + message('Z', 'I');
    const farewell = message('E', 'SFATAL\0C57P01\0Mgo away\0\0');
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      // In one piece: there is no moment in between.
      socket.once('data', () => socket.end(welcome + farewell));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const opening = connect({ url: `postgres://postgres@127.0.0.1:${port}/x`, callTimeout: 200 });
    await rejection(opening, 'STORAGE_UNAVAILABLE');
    server.close();
  });

  test('says what is wrong with a statement', async () => {
    const connection = await connect({ url });
    const failures: [string, string, boolean][] = [
      ['SELECT FROM wherry.message', 'STORAGE_MIGRATION', false],
      ['SELECT wherry.absent()', 'STORAGE_MIGRATION', false],
      ['SELECT 1 / 0', 'STORAGE', false],
      ["DO $$ BEGIN RAISE 'full' USING ERRCODE = '53100'; END $$", 'STORAGE_FULL', true],
      ["DO $$ BEGIN RAISE 'bad' USING ERRCODE = 'XX001'; END $$", 'STORAGE_DAMAGED', false],
      ["DO $$ BEGIN RAISE 'no' USING ERRCODE = '42501'; END $$", 'STORAGE_AUTH', false],
      ['SET TRANSACTION READ ONLY; CREATE TABLE t ()', 'STORAGE_READONLY', true],
    ];
    for (const [text, code, retriable] of failures) {
      const error = await rejection(connection.query(text), code);
      assert.equal(error.retriable, retriable);
      assert.ok(error.cause instanceof pg.DatabaseError);
    }
    assert.deepEqual(await connection.query('SELECT 1 AS one'), [{ one: 1 }]);
    await connection.close();
  });

  test('reads values in its own way, whatever the program told pg', async () => {
    const { builtins, getTypeParser, setTypeParser } = pg.types;
    const before = getTypeParser(builtins.INT8);
    setTypeParser(builtins.INT8, () => 'not a number');
    const connection = await connect({ url });
    const values = `SELECT 5000000000::int8 AS big, -7::int2 AS small, 2.5::float8 AS float, true AS yes,
      '\\x00ff'::bytea AS bytes, '{"a": 1}'::json AS json, 'ä' AS text, null::int8 AS nothing`;
    const expected = {
      big: 5_000_000_000,
      small: -7,
      float: 2.5,
      yes: true,
      bytes: Buffer.from([0, 255]),
      json: '{"a": 1}',
      text: 'ä',
      nothing: null,
    };
    try {
      assert.deepEqual(await connection.query(values), [expected]);
      await connection.transaction(async (query) => {
        await query("SET LOCAL bytea_output = 'escape'");
        const [row] = await query(String.raw`SELECT '\x5c00ff41'::bytea AS bytes`);
        assert.deepEqual(row, { bytes: Buffer.from([92, 0, 255, 65]) });
      });
    } finally {
      setTypeParser(builtins.INT8, before);
      await connection.close();
    }
  });

  test('comes back after its sessions were ended, and after restarts of the server', async () => {
    const connection = await connect({ url });
    // What only reads is repeated, if the connection breaks in the middle of it.
    const one = () => connection.query('SELECT 1 AS one', [], { repeatable: true });
    await Promise.all([one(), one(), one()]);
    for (const cut of [
      terminateAll,
      () => postgres.restart('fast'),
      () => postgres.restart('immediate'),
    ]) {
      await cut();
      assert.deepEqual(await one(), [{ one: 1 }]);
    }
    await connection.close();
  });

  test('waits for a server that is away, and tells when that takes too long', async () => {
    const hasty = await connect({ url, callTimeout: 300 });
    const patient = await connect({ url, callTimeout: 60_000 });
    await postgres.kill();
    await rejection(hasty.query('SELECT 1'), 'STORAGE_UNAVAILABLE');
    const waiting = patient.query('SELECT 1 AS one');
    await postgres.restart();
    assert.deepEqual(await waiting, [{ one: 1 }]);
    await Promise.all([hasty.close(), patient.close()]);
  });

  test('says that nobody knows what became of a statement that was cut off', async () => {
    const connection = await connect({ url });
    const sleeping = connection.query('SELECT pg_sleep(30)');
    const cut = rejection(sleeping, 'STORAGE_CONNECTION');
    await poll(async () => {
      const [row] = await postgres.query(
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)' AND state = 'active'",
      );
      return row!['n'] === 1;
    }, 'the statement runs');
    await terminateAll();
    assert.match((await cut).message, /not known/);
    await connection.close();
  });

  test('gives up a statement that takes too long, on the server too', async () => {
    const connection = await connect({ url, callTimeout: 200 });
    const error = await rejection(connection.query('SELECT pg_sleep(30)'), 'STORAGE_TIMEOUT');
    assert.ok(error.retriable);
    const patient = connection.transaction(async (query) => query('SELECT pg_sleep(0.5)'));
    await assert.doesNotReject(patient, 'a transaction of several statements may take long');
    await connection.close();
  });

  test('gives up a connection that says nothing any more', async () => {
    const proxy = await startProxy(postgres.port);
    const connection = await connect({ url: proxy.urlOf(url), callTimeout: 200 });
    proxy.stall();
    await rejection(connection.query('SELECT 1'), 'STORAGE_CONNECTION');
    proxy.resume();
    assert.deepEqual(await connection.query('SELECT 1 AS one'), [{ one: 1 }]);
    await connection.close();
    await proxy.stop();
  });

  test('says when all connections are busy', async () => {
    const connection = await connect({ url, poolSize: 1, callTimeout: 300 });
    let release = (): void => undefined;
    const held = connection.transaction(() => new Promise<void>((resolve) => (release = resolve)));
    await rejection(connection.query('SELECT 1'), 'STORAGE_BUSY');
    release();
    await held;
    await connection.close();
  });

  test('repeats what stood against another transaction', async () => {
    const connection = await connect({ url });
    await connection.query('CREATE TABLE counter (id int PRIMARY KEY, n int)');
    await connection.query('INSERT INTO counter VALUES (1, 0), (2, 0)');
    const add = (...ids: number[]): Promise<void> =>
      connection.transaction(async (query) => {
        await query('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE');
        for (const id of ids) await query('UPDATE counter SET n = n + 1 WHERE id = $1', [id]);
      });
    await Promise.all(Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? add(1, 2) : add(2, 1))));
    const rows = await connection.query('SELECT n FROM counter');
    assert.deepEqual(rows, [{ n: 8 }, { n: 8 }]);
    assert.match(postgres.log, /deadlock detected|could not serialize/);
    await connection.close();
  });

  test('rolls back, and keeps the connection, when work between statements fails', async () => {
    const connection = await connect({ url, poolSize: 1 });
    await connection.query('CREATE TABLE undone (n int)');
    const failed = connection.transaction(async (query) => {
      await query('INSERT INTO undone VALUES (1)');
      throw new ValidationError('no');
    });
    await assert.rejects(failed, ValidationError);
    assert.deepEqual(await connection.query('SELECT * FROM undone'), []);
    await connection.close();
  });

  test('lets what is under way end when it is closed, and refuses what comes after', async () => {
    const connection = await connect({ url, poolSize: 1 });
    const underWay = Promise.all(
      [1, 2, 3].map((n) => connection.query('SELECT $1::int AS n', [n])),
    );
    await connection.close();
    assert.deepEqual((await underWay).flat(), [{ n: 1 }, { n: 2 }, { n: 3 }]);
    await assert.rejects(connection.query('SELECT 1'), ClosedError);
  });

  test("uses a pool of the caller's, and leaves it open", async () => {
    const pool = new pg.Pool({ connectionString: url, max: 2 });
    const connection = await connect({ pool });
    await connection.query('SELECT 1');
    // Without us, an error of an idle connection would end the program.
    await terminateAll();
    await poll(() => pool.totalCount === 0, 'the pool has noticed');
    await connection.query('SELECT 1');
    await connection.close();
    assert.equal(pool.listenerCount('error'), 0);
    assert.equal((await pool.query('SELECT 1')).rowCount, 1);
    await pool.end();
  });
});

describe('options', () => {
  test('are taken out of a URL; the others are for pg', () => {
    const address = 'postgres://u:p%40@h:5433/db';
    const parameters =
      'wherry_schema=mine&sslmode=require&wherry_migrate=false&wherry_listen=true' +
      '&wherry_pool_size=20&application_name=a%20b&wherry_call_timeout=500';
    assert.deepEqual(readOptions({ url: `${address}?${parameters}`, poolSize: 5 }), {
      source: { url: `${address}?sslmode=require&application_name=a%20b` },
      schema: 'mine',
      migrate: false,
      listen: true,
      // Said twice: the option goes before.
      poolSize: 5,
      callTimeout: 500,
      clock: null,
    });
    assert.deepEqual(readOptions({ url: address }).source, { url: address });
  });

  test('that are wrong are refused', () => {
    const wrong = [
      ...['wherry_x=1', 'wherry_migrate=no', 'wherry_listen=', 'wherry_pool_size=many'].map(
        (parameters) => ({ url: `postgres://h/db?${parameters}` }),
      ),
      {},
      { url, pool: new pg.Pool() },
      { url, schema: 'Mine' },
      { url, schema: 'x"; DROP' },
      { url, poolSize: 0 },
      { url, callTimeout: 1 },
      { url, shcema: 'x' },
    ];
    for (const options of wrong) assert.throws(() => readOptions(options), ValidationError);
  });
});
