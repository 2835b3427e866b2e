import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startRedis } from '../servers/redis.ts';
import { startSentinels } from '../servers/sentinel.ts';
import { TestStore } from './harness.ts';

interface Report {
  readonly path: string;
  readonly queues: number;
  readonly messages: number;
  readonly problems: { code: string; message: string }[];
  readonly repaired: number;
  readonly compacted?: { before: number; after: number };
}

async function storeWith(payload: string, count: number): Promise<TestStore> {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  const input = `${payload}\n`.repeat(count);
  await store.ok(['publish', '--stdin', '--text', '--queue', 'orders'], { input });
  return store;
}

/** Changes one byte of a stored payload, as a failing disk would. */
function damage(store: TestStore, payload: string): void {
  const file = join(store.path, 'data.mdb');
  const bytes = readFileSync(file);
  const at = bytes.lastIndexOf(payload);
  assert.notEqual(at, -1, 'the payload is in the file');
  for (let place = at; place !== -1; place = bytes.lastIndexOf(payload, place - 1)) {
    bytes[place] = (bytes[place] ?? 0) ^ 1;
  }
  writeFileSync(file, bytes);
}

test('doctor finds a sound store sound', async () => {
  const store = await storeWith('hello', 3);
  const text = await store.ok(['doctor']);
  assert.match(text, /: 2 queues, 3 messages\.\nNo problems found\.\n$/);
  const report = await store.json<Report>(['doctor', store.path]);
  assert.deepEqual([report.messages, report.problems, report.repaired], [3, [], 0]);
});

test('doctor reports a damaged record with exit code 1', async () => {
  const store = await storeWith('a payload to be damaged', 1);
  await store.ok(['publish', 'sound', '--text', '--queue', 'orders']);
  damage(store, 'a payload to be damaged');
  const found = await store.call(['doctor']);
  assert.equal(found.code, 1);
  assert.match(found.stdout, /1 problem found, 0 repaired\./);
  const report = JSON.parse((await store.call(['doctor', '--json'])).stdout) as Report;
  assert.equal(report.problems.length, 1);
  // What was in the message nobody knows: it is set aside, the others are not touched.
  const tried = await store.call(['doctor', '--repair']);
  assert.equal(tried.code, 1);
  assert.match(tried.stdout, /cannot be mended/);
  assert.equal(await store.ok(['consume', 'orders']), '"sound"\n');
  const [dead] = await store.lines<{ deaths: { reason: string }[] }>(['dead-letters', 'list']);
  assert.equal(dead?.deaths[0]?.reason, 'invalid');
});

test('doctor --compact gives the room of what is gone back', async () => {
  const store = await storeWith('x'.repeat(10_000), 500);
  await store.ok(['queue', 'purge', 'orders']);
  const { compacted } = await store.json<Report>(['doctor', '--compact']);
  assert.ok(compacted !== undefined && compacted.after < compacted.before / 10);
  assert.match(await store.ok(['doctor', '--compact']), /^Compacted from .* to .*\.$/m);
  await store.ok(['publish', '1', '--queue', 'orders']);
  assert.equal(await store.ok(['consume', 'orders']), '1\n');
});

test('doctor looks at a Redis and its settings, and mends counters', async (t) => {
  const redis = await startRedis({ config: { 'maxmemory-policy': 'allkeys-lru' } });
  t.after(() => redis.stop());
  const store = new TestStore(`${redis.url}?prefix=app`);
  await store.ok(['queue', 'create', 'orders']);
  await store.ok(['publish', '1', '--queue', 'orders']);
  const sound = await store.ok(['doctor']);
  assert.match(
    sound,
    /^Prefix app, format 1: 2 queues, 1 message, .* survives a crash of the server;/m,
  );
  assert.match(
    sound,
    /^Server 127\.0\.0\.1:\d+, version \d.*no maxmemory.* 0 replicas\. A round trip/m,
  );
  assert.match(sound, /^eviction: .*noeviction\.\nappendfsync: .*\nNo problems found\.\n$/m);
  const [key] = (await redis.cli('KEYS', 'app:{q*}:s:0')).split('\n');
  await redis.cli('HINCRBY', key!.replace('s:0', 'q'), 'ready', 1);
  const found = await store.call(['doctor']);
  assert.deepEqual([found.code, /^counters: .*orders.*/m.test(found.stdout)], [1, true]);
  assert.match(await store.ok(['doctor', '--repair']), /1 problem found, 1 repaired\.\n$/);
  assert.match(await store.ok(['doctor']), /No problems found\.\n$/);
  const refused = await store.call(['doctor', '--compact']);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /BGREWRITEAOF/);
  const nothing = await new TestStore(`${redis.url}?prefix=other`).call(['doctor']);
  assert.deepEqual(
    [nothing.code, /no store with the prefix 'other'/.test(nothing.stderr)],
    [4, true],
  );
});

test('doctor finds sentinels and sockets by their URLs', async (t) => {
  const group = await startSentinels();
  t.after(() => group.stop());
  const nodes = group.sentinels.map(({ host, port }) => `${host}:${port}`).join(',');
  const guarded = new TestStore(`redis-sentinel://${nodes}/${group.name}?prefix=app`);
  await guarded.ok(['queue', 'create', 'orders']);
  assert.match(await guarded.ok(['doctor']), /, 1 replica\. .*[^]*No problems found\.\n$/);
  const socket = join(group.master.folder, 'redis.sock');
  const redis = await startRedis({ config: { unixsocket: socket } });
  t.after(() => redis.stop());
  const local = new TestStore(`redis+socket://${socket}?prefix=app`);
  await local.ok(['queue', 'create', 'orders']);
  assert.match(await local.ok(['doctor']), new RegExp(`^Server ${socket}, .*`, 'm'));
});

test('doctor reads the addresses of Redis of every kind', async (t) => {
  const secure = await startRedis({ tls: true });
  t.after(() => secure.stop());
  const store = new TestStore(`${secure.url}?prefix=app&ca=${join(secure.folder, 'cert.pem')}`);
  await store.ok(['queue', 'create', 'orders']);
  assert.match(await store.ok(['doctor']), /No problems found\.\n$/);
  for (const [url, complaint] of [
    ['rediss-sentinel://127.0.0.1:1', /how its sentinels call the primary/],
    ['rediss-cluster://127.0.0.1:1/3', /A cluster has one database/],
    ['redis-elsewhere://127.0.0.1:1', /is no address of Redis/],
  ] as const) {
    const { code, stderr } = await new TestStore(url).call(['doctor']);
    assert.equal(code, 2, url);
    assert.match(stderr, complaint);
  }
});

test('doctor has nothing to check in memory, nor where there is no store', async () => {
  const store = new TestStore();
  assert.equal((await store.call(['doctor', 'memory:'])).code, 2);
  assert.equal((await store.call(['doctor', store.path])).code, 3);
});
