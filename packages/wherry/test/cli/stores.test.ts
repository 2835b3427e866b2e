/** Every command that works on a store works on a store of every kind. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { QueueInfo } from '../../src/index.ts';
import { type PostgresServer, startPostgres } from '../servers/postgres.ts';
import { type RedisCluster, startRedisCluster } from '../servers/redis-cluster.ts';
import { type RedisServer, startRedis } from '../servers/redis.ts';
import { temporaryFolder, TestStore } from './harness.ts';

let redis: RedisServer;
let cluster: RedisCluster;
let postgres: PostgresServer;

before(async () => {
  redis = await startRedis();
  cluster = await startRedisCluster({ replicasPerMaster: 0 });
  postgres = await startPostgres();
});

after(() => Promise.all([redis, cluster, postgres].map((server) => server.stop())));

const KINDS: Readonly<Record<string, () => Promise<string>>> = {
  lmdb: async () => join(temporaryFolder(), 'store'),
  redis: async () => `${redis.url}?prefix=commands`,
  'redis-cluster': async () => cluster.url.replace('redis:', 'redis-cluster:'),
  postgres: () => postgres.createDatabase(),
};

for (const [kind, urlOf] of Object.entries(KINDS)) {
  const sharedStore = urlOnce(urlOf);

  test(`queues on ${kind}: create, list, info, update, pause, resume, purge, delete`, async () => {
    const store = await sharedStore();
    await store.ok(['queue', 'create', 'orders', '--max-size', '10']);
    await store.ok(['publish', '--stdin', '--queue', 'orders'], { input: '1\n2\n3\n' });
    assert.match(await store.ok(['queue', 'list']), /^orders +3 +0 +0 /m);
    await store.ok(['queue', 'update', 'orders', '--max-retries', '0']);
    await store.ok(['queue', 'pause', 'orders']);
    assert.equal(await store.ok(['consume', 'orders']), '');
    await store.ok(['queue', 'resume', 'orders']);
    const info = await store.json<QueueInfo>(['queue', 'info', 'orders']);
    assert.deepEqual([info.ready, info.settings.maxRetries, info.settings.paused], [3, 0, false]);
    assert.match(await store.ok(['queue', 'purge', 'orders']), /3 messages/);
    await store.ok(['queue', 'delete', 'orders']);
    assert.equal((await store.call(['queue', 'info', 'orders'])).code, 3);
  });

  test(`messages on ${kind}: publish, browse, consume, dead-letters`, async () => {
    const store = await sharedStore();
    await store.ok(['queue', 'create', 'jobs', '--max-retries', '0']);
    await store.ok(['publish', '{"n":1}', '--queue', 'jobs', '--priority', '3']);
    await store.ok(['publish', 'later', '--text', '--queue', 'jobs', '--delay', '1h']);
    const [ready] = await store.lines(['browse', 'jobs']);
    assert.deepEqual([ready?.['payload'], ready?.['priority']], [{ n: 1 }, 3]);
    assert.equal((await store.lines(['browse', 'jobs', '--state', 'scheduled'])).length, 1);
    assert.equal((await store.call(['consume', 'jobs', '--exec', 'exit 1'])).code, 5);
    const [dead] = await store.lines<{ deaths: { reason: string }[] }>(['dead-letters', 'list']);
    assert.equal(dead?.deaths[0]?.reason, 'max-retries');
    assert.equal(await store.ok(['dead-letters', 'redrive']), 'Moved 1 message.\n');
    assert.equal(await store.ok(['consume', 'jobs']), '{"n":1}\n');
    assert.match(await store.ok(['dead-letters', 'purge']), /Deleted 0 dead messages/);
  });

  test(`routing on ${kind}: exchanges, bindings, publish`, async () => {
    const store = await sharedStore();
    await store.ok(['queue', 'create', 'created']);
    await store.ok(['exchange', 'create', 'events', '--type', 'topic']);
    const binding = ['--exchange', 'events', '--queue', 'created', '--routing-key', 'order.*'];
    await store.ok(['binding', 'create', ...binding]);
    assert.equal((await store.json<unknown[]>(['binding', 'list'])).length, 1);
    await store.ok(['publish', '7', '--exchange', 'events', '--routing-key', 'order.new']);
    assert.equal(await store.ok(['consume', 'created']), '7\n');
    await store.ok(['binding', 'delete', ...binding]);
    await store.ok(['exchange', 'delete', 'events']);
    assert.deepEqual(await store.json(['exchange', 'list']), []);
  });

  test(`operations on ${kind}: top, export, import, migrate, doctor, bench`, async () => {
    const store = await sharedStore();
    await store.ok(['queue', 'create', 'moved']);
    await store.ok(['publish', '--stdin', '--queue', 'moved'], { input: '1\n2\n' });
    assert.match(await store.ok(['top', '--once', '--queue', 'moved']), /^moved +2 +0 +0 /m);
    const archive = await store.ok(['export', '-', '--queue', 'moved']);
    const folder = new TestStore();
    await store.ok(['migrate', '--to', folder.path, '--queue', 'moved']);
    assert.equal(await folder.ok(['consume', 'moved']), '1\n2\n');
    await store.ok(['import', '-'], { input: archive });
    assert.equal(await store.ok(['consume', 'moved']), '1\n2\n');
    assert.match(await store.ok(['doctor']), /No problems found\.\n$/);
    const { phases } = await store.json<{ phases: unknown[] }>(['bench', '--messages', '200']);
    assert.equal(phases.length, 3);
  });
}

test('a server that is not there is told with exit code 4', async () => {
  const nobody = 'redis://127.0.0.1:1';
  const answer = await new TestStore(nobody).call(['queue', 'list', '--json']);
  assert.equal(answer.code, 4);
  const { error } = JSON.parse(answer.stderr) as { error: { code: string } };
  assert.equal(error.code, 'STORAGE_UNAVAILABLE');
});

/** The tests of a kind share a store, as commands do. */
function urlOnce(urlOf: () => Promise<string>): () => Promise<TestStore> {
  let store: Promise<TestStore> | undefined;
  return () => (store ??= urlOf().then((url) => new TestStore(url)));
}
