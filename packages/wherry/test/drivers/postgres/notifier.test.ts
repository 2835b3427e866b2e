import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Announcer } from '../../../src/drivers/postgres/announcer.ts';
import type { Connection } from '../../../src/drivers/postgres/connection.ts';
import { applyMigrations } from '../../../src/drivers/postgres/migrations.ts';
import { PostgresNotifier } from '../../../src/drivers/postgres/notifier.ts';
import { startPostgres } from '../../servers/postgres.ts';
import { poll } from '../../servers/server-process.ts';
import { connect } from './fixture.ts';

const postgres = await startPostgres();
const processes: Process[] = [];
after(async () => {
  for (const one of processes) await one.close();
  await postgres.stop();
});

/** What one process hears. */
class Process {
  readonly connection: Connection;
  readonly notifier: PostgresNotifier;
  readonly heard: string[] = [];
  topologyChanges = 0;

  static async start(url: string, listen = true): Promise<Process> {
    const connection = await connect({ url });
    await applyMigrations(connection);
    const one = new Process(connection);
    processes.push(one);
    await one.notifier.start(listen);
    return one;
  }

  private constructor(connection: Connection) {
    this.connection = connection;
    const topologyChanged = (): void => void (this.topologyChanges += 1);
    this.notifier = new PostgresNotifier({ connection, topologyChanged });
    this.notifier.subscribe((queueNumber, what) => this.heard.push(`${what} ${queueNumber}`));
  }

  /** Waits for news, and forgets what was heard. */
  async hears(news: string): Promise<void> {
    await poll(() => this.heard.includes(news), `'${news}' is heard`);
    this.heard.length = 0;
  }

  async close(): Promise<void> {
    await this.notifier.stop();
    await this.connection.close();
  }
}

describe('the notifier', () => {
  test('tells its own subscribers at once, and others soon', async () => {
    const url = await postgres.createDatabase();
    const [one, other] = [await Process.start(url), await Process.start(url)];
    one.notifier.happened(1, 'ready');
    one.notifier.happened(2, 'room');
    assert.deepEqual(one.heard, ['ready 1', 'room 2']);
    await other.hears('room 2');
    other.notifier.happened(3, 'ready');
    await one.hears('ready 3');
    // What it told others comes back to it, and is no news.
    assert.deepEqual(one.heard, []);
  });

  test('hears what a transaction announces, when it commits', async () => {
    const url = await postgres.createDatabase();
    const one = await Process.start(url);
    await one.connection.transaction(async (query) => {
      await query("SELECT wherry.announce_queue(5, 'ready')");
      await query('SELECT 1');
      assert.deepEqual(one.heard, []);
    });
    await one.hears('ready 5');
  });

  test('of a schema hears nothing of another', async () => {
    const url = await postgres.createDatabase();
    const one = await Process.start(url);
    const other = await connect({ url, schema: 'other' });
    await applyMigrations(other);
    await other.query("SELECT wherry.announce_queue(1, 'ready')");
    await one.connection.query("SELECT wherry.announce_queue(2, 'ready')");
    await one.hears('ready 2');
    await other.close();
  });

  test('comes back by itself when its connection was cut, and looks what it missed', async () => {
    const url = await postgres.createDatabase();
    const [one, other] = [await Process.start(url), await Process.start(url)];
    const stop = one.notifier.follow(7);
    const before = one.topologyChanges;
    await postgres.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'",
    );
    await poll(() => !one.notifier.isListening, 'it has noticed');
    await one.hears('ready 7');
    await poll(() => one.notifier.isListening && other.notifier.isListening, 'both are back');
    assert.ok(one.topologyChanges > before);
    stop();
    other.notifier.happened(8, 'ready');
    await one.hears('ready 8');
  });

  test('tells before it stops what it has not told yet', async () => {
    const url = await postgres.createDatabase();
    const one = await Process.start(url);
    for (const listen of [true, false]) {
      const other = await Process.start(url, listen);
      other.notifier.happened(10, 'ready');
      await other.close();
      await one.hears('ready 10');
    }
  });

  test('stops soon when its server is away, whatever is still to be told', async () => {
    const server = await startPostgres();
    try {
      const url = await server.createDatabase();
      const [one] = [await Process.start(url), await Process.start(url)];
      await server.kill();
      one.notifier.happened(11, 'ready');
      const begun = performance.now();
      await one.close();
      assert.ok(performance.now() - begun < 3_000);
    } finally {
      await server.stop();
    }
  });

  test('tells one that has just begun to listen what it may have missed', async () => {
    const url = await postgres.createDatabase();
    const one = await Process.start(url);
    one.notifier.happened(9, 'ready');
    const late = await Process.start(url);
    await late.hears('ready 9');
  });

  test('that cannot listen looks every second, and is heard all the same', async () => {
    const url = await postgres.createDatabase();
    const [deaf, other] = [await Process.start(url, false), await Process.start(url)];
    assert.ok(!deaf.notifier.isListening);
    const stop = deaf.notifier.follow(4);
    await deaf.hears('room 4');
    stop();
    deaf.notifier.happened(6, 'ready');
    await other.hears('ready 6');
  });
});

describe('the announcer', () => {
  test('tells nobody when nobody listens', async () => {
    const sent: (readonly string[])[] = [];
    const announcer = new Announcer((payloads) => sent.push(payloads));
    announcer.happened(1, 'ready');
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(sent, []);
    announcer.setListeners(1);
    await poll(() => sent.length > 0, 'it is told after all');
    assert.deepEqual(sent, [['ready 1']]);
    announcer.stop();
  });

  test('gathers what happens in short order, and slows down when there is much', async () => {
    let told = 0;
    const announcer: Announcer = new Announcer((payloads) => {
      told += payloads.length;
      // As if nine other processes did the same.
      for (let n = 0; n < 10; n += 1) announcer.heard([1], 'ready');
    });
    announcer.setListeners(1);
    const end = performance.now() + 2_000;
    while (performance.now() < end) {
      for (let n = 0; n < 100; n += 1) announcer.happened(1, 'ready');
      await new Promise((resolve) => setImmediate(resolve));
    }
    announcer.stop();
    // 10 processes, 1,000 a second together: some 200 in 2 s.
    assert.ok(told > 20 && told < 500, `it told ${told} times`);
  });

  test('packs many queues into few payloads', async () => {
    let sent: readonly string[] = [];
    const announcer = new Announcer((payloads) => (sent = payloads));
    announcer.setListeners(1);
    for (let n = 1; n <= 1_200; n += 1) announcer.happened(60_000_000 + n, 'ready');
    await poll(() => sent.length > 0, 'it is told');
    assert.equal(sent.length, 3);
    for (const payload of sent) assert.ok(payload.length < 8_000);
    announcer.stop();
  });
});
