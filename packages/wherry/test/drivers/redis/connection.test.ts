import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { readOptions, type RedisDriverOptions } from '../../../src/drivers/redis/options.ts';
import { ServerStore } from '../../../src/drivers/redis/server-store.ts';
import { type RedisServer, startRedis } from '../../servers/redis.ts';
import { startRedisCluster } from '../../servers/redis-cluster.ts';
import { startSentinels } from '../../servers/sentinel.ts';
import { writeFileSync } from 'node:fs';

/** Opens a store, changes something in it, reads it back, and closes. */
async function use(options: RedisDriverOptions): Promise<void> {
  const store = new ServerStore(readOptions(options));
  await store.open();
  try {
    const entry = await store.topology.put({ kind: 'k', name: 'n', value: [1] }, 0);
    assert.ok(entry, 'it is there already');
    assert.deepEqual(await store.topology.load(), [entry]);
    assert.equal(await store.topology.remove('k', 'n', 1), true);
    assert.ok((await store.now()) > 0);
  } finally {
    await store.close();
  }
}

let shared: Promise<RedisServer> | undefined;
const server = (): Promise<RedisServer> => (shared ??= startRedis());
after(async () => (await shared)?.stop());

test('a URL', async () => {
  await use({ url: (await server()).url });
});

test('a URL with a database and a prefix: nothing is anywhere else', async () => {
  const { url } = await server();
  const store = new ServerStore(readOptions({ url: `${url}/3?prefix=mine` }));
  await store.open();
  await store.topology.put({ kind: 'k', name: 'n', value: 1 }, 0);
  await store.close();
  const client = new Redis(`${url}/3`);
  const keys = await client.keys('*');
  assert.ok(keys.length > 0);
  assert.ok(keys.every((key) => key.startsWith('mine:')));
  client.disconnect();
});

test('a unix socket', async () => {
  const socket = join((await server()).folder, 'second.sock');
  const other = await startRedis({ config: { unixsocket: socket } });
  await use({ url: `redis+socket://${socket}?db=2` });
  await other.stop();
});

test('TLS, with a certificate authority of its own', async () => {
  const secure = await startRedis({ tls: true });
  const file = join(secure.folder, 'ca.pem');
  writeFileSync(file, secure.ca!);
  await use({ url: `${secure.url}?ca=${file}` });
  await use({ url: secure.url, connection: { tls: { ca: secure.ca } } });
  await assert.rejects(use({ url: secure.url, callTimeout: 1_000 }), {
    code: 'STORAGE_AUTH',
  });
  await secure.stop();
});

test('sentinels', async () => {
  const group = await startSentinels();
  await use({ sentinel: { nodes: group.sentinels, name: group.name } });
  const hosts = group.sentinels.map(({ host, port }) => `${host}:${port}`).join(',');
  await use({ url: `redis-sentinel://${hosts}/${group.name}?db=1` });
  await group.stop();
});

test("the caller's client, which stays open", async () => {
  const client = new Redis((await server()).url);
  await use({ client });
  assert.equal(await client.ping(), 'PONG');
  assert.equal(client.listenerCount('error'), 0);
  client.disconnect();
});

test("the caller's cluster: a node that dies between a slot's two owners ends no process", async (t) => {
  const cluster = await startRedisCluster({ replicasPerMaster: 0 });
  t.after(() => cluster.stop());
  const client = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
  t.after(() => client.disconnect());
  await use({ client });
  const [node] = client.nodes('master');
  await node!.ping();
  const gone = new Promise((resolve) => node!.once('end', resolve));
  // As the client library does before a command for a slot that is on the move.
  const dying = cluster.nodes.find(({ port }) => port === node!.options.port)!;
  dying.pause();
  void node!.asking();
  await dying.kill();
  await gone;
  // By now, a rejection that nobody handles has failed the test.
  await setImmediate();
});
