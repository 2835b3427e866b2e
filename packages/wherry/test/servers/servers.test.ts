/** Every server that the tests use really starts, answers, ends and leaves nothing behind. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { Client } from 'pg';
import { startPgBouncer } from './pgbouncer.ts';
import { type PostgresServer, startPostgres } from './postgres.ts';
import { startRedisCluster } from './redis-cluster.ts';
import { type RedisServer, startRedis } from './redis.ts';
import { startSentinels } from './sentinel.ts';
import { poll } from './server-process.ts';
import { startProxy } from './tcp-proxy.ts';

/** What must be gone: a process and a folder. */
interface Traces {
  readonly pid: number;
  readonly folder: string;
}

function tracesOf({ pid, folder }: Traces): Traces {
  return { pid, folder };
}

function assertGone({ pid, folder }: Traces): void {
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  assert.ok(!existsSync(folder), `${folder} is still there`);
}

function clientOf(t: TestContext, server: RedisServer, url: string = server.url): Redis {
  const tls = server.ca === undefined ? {} : { tls: { ca: server.ca } };
  const client = new Redis(url, { ...tls, retryStrategy: () => 20 });
  client.on('error', () => undefined);
  t.after(() => client.disconnect());
  return client;
}

async function select(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

test('a Redis keeps its data over a kill and a restart', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const client = clientOf(t, redis);
  await client.set('key', 'value');
  const { pid } = redis;

  await redis.kill();
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  await redis.restart();
  assert.notEqual(redis.pid, pid);
  assert.equal(await client.get('key'), 'value');
  await redis.restart();
  assert.equal(await redis.cli('get', 'key'), 'value');

  redis.pause();
  const answer = client.get('key');
  assert.equal(await Promise.race([answer, delay(100, 'silent')]), 'silent');
  redis.continue();
  assert.equal(await answer, 'value');

  const traces = tracesOf(redis);
  redis.pause();
  await redis.stop();
  assertGone(traces);
});

test('a Redis with TLS and users lets only them in', async (t) => {
  const redis = await startRedis({
    tls: true,
    users: [{ name: 'app', password: 'open-sesame', rules: '~app:* &* +@all -@admin' }],
    config: { maxmemory: '64mb' },
  });
  t.after(() => redis.stop());
  assert.match(redis.url, /^rediss:\/\/app:/);
  const client = clientOf(t, redis);
  assert.equal(await client.set('app:1', 'x'), 'OK');
  await assert.rejects(client.set('other', 'x'), /NOPERM/);
  assert.equal(await redis.cli('get', 'app:1'), 'x');
  const stranger = clientOf(t, redis, redis.url.replace('app:open-sesame@', ''));
  await assert.rejects(stranger.get('app:1'), /NOAUTH/);
});

test('a cluster fails over and moves a slot with its keys', async (t) => {
  const started = performance.now();
  const cluster = await startRedisCluster();
  t.after(() => cluster.stop());
  t.diagnostic(`a cluster of 6 started in ${Math.round(performance.now() - started)} ms`);
  const traces = cluster.nodes.map((node) => tracesOf(node));
  const client = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
  t.after(() => client.disconnect());
  for (let i = 0; i < 250; i++) await client.set(`{tag}:${i}`, i);

  const slot = Number(await cluster.nodes[0]!.cli('cluster', 'keyslot', '{tag}'));
  const owner = await cluster.ownerOf(slot);
  const to = cluster.nodes.slice(0, 3).find((node) => node !== owner)!;
  assert.equal(await cluster.moveSlot(slot, to), 250);
  assert.equal(await cluster.ownerOf(slot), to);
  assert.equal(await client.get('{tag}:249'), '249');
  assert.equal(await to.cli('cluster', 'countkeysinslot', slot), '250');

  const successor = await cluster.failover(to);
  assert.equal(await cluster.ownerOf(slot), successor);
  assert.equal(await client.get('{tag}:7'), '7');

  // Without anybody's help.
  const other = cluster.nodes.slice(0, 3).find((node) => node !== to)!;
  const heir = await cluster.replicaOf(other);
  const killed = performance.now();
  await other.kill();
  await cluster.untilMaster(heir);
  t.diagnostic(`a killed master was replaced in ${Math.round(performance.now() - killed)} ms`);

  await cluster.stop();
  for (const each of traces) assertGone(each);
});

test('Sentinels promote the replica, when asked and when the master dies', async (t) => {
  const group = await startSentinels();
  t.after(() => group.stop());
  const client = new Redis({ sentinels: group.sentinels, name: group.name });
  client.on('error', () => undefined);
  t.after(() => client.disconnect());
  await client.set('key', 'value');
  const { master, replica } = group;

  assert.equal(await group.failover(), replica);
  assert.equal(group.replica, master);
  // The Sentinels do this some ten seconds later.
  await master.cli('replicaof', '127.0.0.1', replica.port);
  await group.untilReady();
  const killed = performance.now();
  await replica.kill();
  assert.equal(await group.untilMaster(master), master);
  t.diagnostic(`a killed master was replaced in ${Math.round(performance.now() - killed)} ms`);
  assert.equal(await client.get('key'), 'value');
  assert.equal(group.sentinels.length, 3);
});

/** One for all the tests of PostgreSQL. */
let postgres: PostgresServer;

test('PostgreSQL keeps what was committed over every way to end it', async (t) => {
  postgres = await startPostgres({ config: { log_lock_waits: 'on' } });
  const url = await postgres.createDatabase();
  assert.notEqual(url, await postgres.createDatabase());
  await select(url, 'CREATE TABLE kept (n int)');
  const ends = {
    fast: () => postgres.restart('fast'),
    immediate: () => postgres.restart('immediate'),
    kill: async () => {
      await postgres.kill();
      assert.ok(!postgres.isRunning);
      await postgres.restart();
    },
  };
  let count = 0;
  for (const [name, end] of Object.entries(ends)) {
    await select(url, `INSERT INTO kept VALUES (${(count += 1)})`);
    const started = performance.now();
    await end();
    t.diagnostic(`${name}: back after ${Math.round(performance.now() - started)} ms`);
    assert.deepEqual(await select(url, 'SELECT max(n) FROM kept'), [{ max: count }]);
  }
  const settings = await postgres.query("SELECT current_setting('fsync') AS fsync");
  assert.deepEqual(settings, [{ fsync: 'on' }]);
});

test('a paused PostgreSQL is silent, and answers when it goes on', async () => {
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  postgres.pause();
  const answer = client.query('SELECT 1').then(() => 'answered');
  assert.equal(await Promise.race([answer, delay(100, 'silent')]), 'silent');
  postgres.continue();
  assert.equal(await answer, 'answered');
  await client.end();
});

test('PgBouncer shares connections from one transaction to the next', async () => {
  const bouncer = await startPgBouncer(postgres, { config: { default_pool_size: 1 } });
  const url = bouncer.urlOf(await postgres.createDatabase());
  const [a, b] = await Promise.all([
    select(url, 'SELECT pg_backend_pid() AS pid'),
    select(url, 'SELECT pg_backend_pid() AS pid'),
  ]);
  assert.deepEqual(a, b);
  const traces = tracesOf(bouncer);
  await bouncer.stop();
  assertGone(traces);
});

test('PostgreSQL leaves nothing behind', async () => {
  const traces = tracesOf(postgres);
  await postgres.stop();
  assertGone(traces);
});

test('a proxy delays, cuts, refuses, stalls and closes', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const proxy = await startProxy(redis.port);
  t.after(() => proxy.stop());
  const client = clientOf(t, redis, proxy.urlOf(redis.url));
  const ends: string[] = [];
  client.on('close', () => ends.push('close'));

  const big = 'x'.repeat(1_000_000);
  await client.set('big', big);
  assert.equal(proxy.connections, 1);
  proxy.latency(40);
  const asked = performance.now();
  assert.equal(await client.get('big'), big);
  assert.ok(performance.now() - asked >= 80, 'a way there and a way back');
  proxy.latency(0);

  proxy.refuse();
  proxy.cut();
  await poll(() => ends.length > 0, 'the client notices');
  const before = proxy.attempts;
  await poll(() => proxy.attempts > before, 'the client tries again');
  assert.equal(proxy.connections, 0);
  proxy.accept();
  assert.equal(await client.get('big'), big);

  proxy.stall();
  const swallowed = client.incr('count').then(String, String);
  assert.equal(await Promise.race([swallowed, delay(100, 'silent')]), 'silent');
  assert.equal(proxy.connections, 1);
  proxy.resume();
  assert.equal(await swallowed, '1', 'sent again, and only once executed');

  proxy.freeze();
  const frozen = client.incr('count').then(String, String);
  const other = clientOf(t, redis, proxy.urlOf(redis.url));
  assert.equal(await other.get('count'), '1');
  assert.equal(await Promise.race([frozen, delay(50, 'silent')]), 'silent');
  proxy.cut();
  assert.equal(await frozen, '2');

  const endings = ends.length;
  proxy.closeGracefully();
  await poll(() => ends.length > endings, 'the client is told');
  assert.equal(await client.incr('count'), 3);
});

test('servers do not outlive a test process that is killed', async (t) => {
  const servers = new URL('.', import.meta.url).href;
  const code = `
    const { startRedis } = await import('${servers}redis.ts');
    const { startPostgres } = await import('${servers}postgres.ts');
    for (const { pid, folder } of [await startRedis(), await startPostgres()]) {
      console.log(JSON.stringify({ pid, folder }));
    }
    setInterval(() => undefined, 1_000);`;
  const node = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', code];
  const child: ChildProcess = spawn(process.execPath, node, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const left: Traces[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => {
    left.push(JSON.parse(line) as Traces);
  });
  await poll(() => left.length === 2, 'both servers run');
  for (const { pid } of left) assert.ok(process.kill(pid, 0));
  child.kill('SIGKILL');
  const gone = (check: () => void) => (): boolean => {
    try {
      check();
      return true;
    } catch {
      return false;
    }
  };
  await poll(
    gone(() => left.forEach(assertGone)),
    'no process and no folder is left',
    5_000,
  );
});
