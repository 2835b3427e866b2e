import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TopologyChange } from '../../../src/core/driver.ts';
import { readOptions, type RedisDriverOptions } from '../../../src/drivers/redis/options.ts';
import { ServerStore } from '../../../src/drivers/redis/server-store.ts';
import { type RedisServer, startRedis } from '../../servers/redis.ts';
import { poll } from '../../servers/server-process.ts';
import { startProxy } from '../../servers/tcp-proxy.ts';

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

let prefixes = 0;

/** A store of its own on the shared server. */
async function openStore(options: RedisDriverOptions): Promise<ServerStore> {
  const store = new ServerStore(readOptions({ prefix: `p${(prefixes += 1)}`, ...options }));
  await store.open();
  return store;
}

const entry = (name: string, value: unknown = 1) => ({ kind: 'k', name, value });

test('a call whose answer is lost is made again, and counts once', async () => {
  const proxy = await startProxy(server.port);
  const store = await openStore({ url: proxy.urlOf(server.url) });
  proxy.latency(30);
  for (let i = 0; i < 5; i += 1) {
    const put = store.topology.put(entry(`n${i}`), 0);
    // It has reached the server, and its answer is on the way back.
    setTimeout(() => proxy.cut(), 45);
    assert.deepEqual(await put, { ...entry(`n${i}`), number: i + 1, version: 1 });
  }
  proxy.latency(0);
  assert.equal((await store.topology.load()).length, 5);
  await store.close();
  await proxy.stop();
});

test('a server that comes back in time is waited for; one that does not, is told of', async () => {
  const own = await startRedis();
  const store = await openStore({ url: own.url, callTimeout: 1_500 });
  await own.kill();
  const calls = [store.topology.put(entry('a'), 0), store.topology.put(entry('b'), 0)];
  await own.restart();
  assert.ok((await Promise.all(calls)).every((stored) => stored !== null));
  await own.kill();
  const begun = performance.now();
  await assert.rejects(store.topology.put(entry('c'), 0), {
    code: 'STORAGE_UNAVAILABLE',
    retriable: true,
  });
  assert.ok(performance.now() - begun < 3_000, 'it took much longer than callTimeout');
  await own.restart();
  await poll(() => store.topology.put(entry('c'), 0).then(Boolean, () => false), 'it goes on');
  await store.close();
  await own.stop();
});

test('a half-open connection is noticed and replaced', async () => {
  const proxy = await startProxy(server.port);
  const store = await openStore({ url: proxy.urlOf(server.url) });
  proxy.stall();
  const put = store.topology.put(entry('a'), 0);
  setTimeout(() => proxy.resume(), 500);
  assert.ok(await put);
  await store.close();
  await proxy.stop();
});

test('changes that were missed while the way was broken are told afterwards', async () => {
  const proxy = await startProxy(server.port);
  const prefix = 'missed';
  const store = await openStore({ url: proxy.urlOf(server.url), prefix });
  const other = await openStore({ url: server.url, prefix });
  const changes: TopologyChange[] = [];
  store.topology.watch((change) => changes.push(change));
  const kept = await other.topology.put(entry('kept'), 0);
  const gone = await other.topology.put(entry('gone'), 0);
  await poll(() => changes.length === 2, 'both are told');
  proxy.refuse();
  proxy.cut();
  const changed = await other.topology.put(entry('kept', 2), 1);
  await other.topology.remove('k', 'gone', 1);
  proxy.accept();
  await poll(() => changes.length === 4, 'the others too');
  assert.deepEqual(changes, [
    { type: 'put', entry: kept },
    { type: 'put', entry: gone },
    { type: 'removed', kind: 'k', name: 'gone' },
    { type: 'put', entry: changed },
  ]);
  await store.close();
  await other.close();
  await proxy.stop();
});

test('scripts are given again to a server that has forgotten them', async () => {
  const store = await openStore({ url: server.url });
  await store.topology.put(entry('a'), 0);
  await server.cli('SCRIPT', 'FLUSH');
  const answers = await Promise.all([1, 2, 3].map((n) => store.topology.put(entry(`n${n}`), 0)));
  assert.ok(answers.every((stored) => stored !== null));
  await store.close();
});

test('closing ends what waits for a server that is away, and leaves nothing open', async () => {
  const own = await startRedis();
  const store = await openStore({ url: own.url });
  await own.kill();
  const waiting = store.topology.put(entry('a'), 0);
  const refused = assert.rejects(waiting, { code: 'CLOSED' });
  await store.close();
  await refused;
  await own.stop();
});
