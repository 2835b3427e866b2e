import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Driver, MessageQueueSystem } from 'wherry';
import { startPostgres } from '../../../wherry/test/servers/postgres.ts';
import { startRedis } from '../../../wherry/test/servers/redis.ts';
import { VirtualHosts } from '../../src/vhosts/virtual-hosts.ts';
import { startBroker } from '../broker.ts';
import { Client } from '../client.ts';

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-vhosts-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Each store, for one test. */
const STORES: Record<string, (t: TestContext) => Promise<string>> = {
  memory: async () => 'memory:',
  folder: makeFolder,
  redis: async (t) => {
    const server = await startRedis();
    t.after(() => server.stop());
    return server.url;
  },
  postgres: async (t) => {
    const server = await startPostgres();
    t.after(() => server.stop());
    return server.url;
  },
};

interface Counts {
  readonly ready: number;
  readonly queues: number;
}

/** Sends to the queue `orders` of a virtual host. */
async function fill(client: Client, vhost: string, texts: readonly string[]): Promise<void> {
  const queue = `${vhost}queues/orders`;
  await client.call('PUT', queue, {});
  for (const payload of texts) await client.call('POST', `${queue}/messages`, { payload });
}

async function payloads(client: Client, vhost: string): Promise<unknown[]> {
  const page = await client.call<{ messages: { payload: unknown }[] }>(
    'GET',
    `${vhost}queues/orders/messages`,
  );
  return page.messages.map(({ payload }) => payload);
}

for (const [name, open] of Object.entries(STORES)) {
  test(`on ${name}, virtual hosts share nothing, and go one by one`, async (t) => {
    const store = await open(t);
    const broker = await startBroker({ store });
    t.after(() => broker.close({ deadline: 0 }));
    const client = new Client(broker);
    await client.call('PUT', 'vhosts/a', { description: 'the first' });
    await client.call('PUT', 'vhosts/A');
    await fill(client, '', ['main']);
    await fill(client, 'vhosts/a/', ['a1', 'a2']);
    await fill(client, 'vhosts/A/', ['big A']);
    assert.deepEqual(await payloads(client, ''), ['main']);
    assert.deepEqual(await payloads(client, 'vhosts/a/'), ['a1', 'a2']);
    assert.deepEqual(await payloads(client, 'vhosts/A/'), ['big A']);

    const refused = await client.ask('DELETE', 'vhosts/a');
    assert.equal(refused.body['code'], 'VHOST_NOT_EMPTY');
    assert.equal((await client.ask('DELETE', 'vhosts/a?force=true')).status, 204);
    assert.equal((await client.ask('GET', 'vhosts/a/queues')).body['code'], 'VHOST_NOT_FOUND');
    assert.deepEqual(await payloads(client, ''), ['main']);
    assert.deepEqual(await payloads(client, 'vhosts/A/'), ['big A']);
    // One of the same name has nothing of the first.
    await client.call('PUT', 'vhosts/a');
    const { queues, ready } = await client.call<Counts>('GET', 'vhosts/a');
    assert.deepEqual({ queues, ready }, { queues: 1, ready: 0 });
  });
}

test('virtual hosts are there again after a restart', async (t) => {
  const store = await makeFolder(t);
  const first = await startBroker({ store });
  await new Client(first).call('PUT', 'vhosts/shop', { description: 'the shop' });
  await fill(new Client(first), 'vhosts/shop/', ['kept']);
  await first.close();
  const second = await startBroker({ store });
  t.after(() => second.close({ deadline: 0 }));
  assert.deepEqual(await payloads(new Client(second), 'vhosts/shop/'), ['kept']);
  const { vhosts } = await new Client(second).call<{ vhosts: { description: string }[] }>(
    'GET',
    'vhosts',
  );
  assert.deepEqual(
    vhosts.map(({ description }) => description),
    ['', 'the shop'],
  );
});

describe('several brokers', { concurrency: 2 }, () => {
  for (const name of ['redis', 'postgres']) {
    test(`on one ${name} have the same virtual hosts`, async (t) => {
      const store = await STORES[name]!(t);
      const [one, two] = [await startBroker({ store }), await startBroker({ store })];
      t.after(() => Promise.all([one.close({ deadline: 0 }), two.close({ deadline: 0 })]));
      const [here, there] = [new Client(one), new Client(two)];
      await here.call('PUT', 'vhosts/shop');
      await there.until('GET', 'vhosts/shop/queues', ({ status }) => status === 200);
      await fill(here, 'vhosts/shop/', ['seen by both']);
      await there.until<{ messages: unknown[] }>(
        'GET',
        'vhosts/shop/queues/orders/messages',
        ({ status, body }) => status === 200 && body.messages.length === 1,
      );
      assert.equal((await there.ask('DELETE', 'vhosts/shop?force=true')).status, 204);
      await here.until('GET', 'vhosts/shop/queues', ({ status }) => status === 404);
      await there.call('PUT', 'vhosts/shop');
      await here.until<Counts>(
        'GET',
        'vhosts/shop',
        ({ status, body }) => status === 200 && body.ready === 0,
      );
    });
  }
});

test('no name reaches out of the folder', async (t) => {
  const parent = await makeFolder(t);
  const store = join(parent, 'broker', 'store');
  const broker = await startBroker({ store });
  t.after(() => broker.close({ deadline: 0 }));
  const client = new Client(broker);
  const names = [
    '../../outside',
    '..%2f..%2foutside',
    'a/../../outside',
    '/etc/passwd',
    String.raw`..\..\outside`,
    'nul',
    'CON.txt',
    '~root',
    '$(touch outside)',
    "'; DROP TABLE message; --",
    '{tag}',
    'a:b',
    '😀'.repeat(60),
  ];
  for (const name of names) {
    const path = `vhosts/${encodeURIComponent(name)}`;
    const made = await client.ask('PUT', path);
    assert.equal(made.status, 201, name);
    assert.equal(made.body['name'], name);
    await fill(client, `${path}/`, [name]);
    assert.deepEqual(await payloads(client, `${path}/`), [name]);
  }
  const folders = await readdir(join(store, 'vhosts'));
  assert.equal(folders.length, names.length);
  for (const folder of folders) assert.match(folder, /^[a-z0-9]{1,12}_[0-9a-f]{12}$/);
  assert.deepEqual((await readdir(store)).toSorted(), ['data.mdb', 'lock.mdb', 'vhosts']);
  assert.deepEqual(await readdir(parent), ['broker']);
  assert.deepEqual(await readdir(join(parent, 'broker')), ['store']);
  for (const name of names) {
    await client.call('DELETE', `vhosts/${encodeURIComponent(name)}?force=true`);
  }
  assert.deepEqual(await readdir(join(store, 'vhosts')), []);
});

test('a deletion that was cut short is finished at the next start', async (t) => {
  const store = await makeFolder(t);
  const broker = await startBroker({ store });
  await new Client(broker).call('PUT', 'vhosts/shop');
  await fill(new Client(broker), 'vhosts/shop/', ['gone']);
  await broker.close();
  const mq = await MessageQueueSystem.open({ storage: store });
  const { topology } = mq.storage as Driver;
  const entry = (await topology.load()).find(({ kind }) => kind === 'vhost')!;
  const value = { ...(entry.value as object), isDeleting: true };
  await topology.put({ kind: 'vhost', name: 'shop', value }, entry.version);
  await mq.close();
  const again = await startBroker({ store });
  t.after(() => again.close({ deadline: 0 }));
  assert.equal((await new Client(again).ask('GET', 'vhosts/shop')).status, 404);
  assert.deepEqual(await readdir(join(store, 'vhosts')), []);
  await new Client(again).call('PUT', 'vhosts/shop');
});

/** Virtual hosts without a broker around them. */
async function openVhosts(
  t: TestContext,
  store: string,
  openSystem: (storage: string) => Promise<MessageQueueSystem>,
): Promise<VirtualHosts> {
  const main = await MessageQueueSystem.open();
  const { topology } = main.storage as Driver;
  const vhosts = new VirtualHosts({ main, topology, store, openSystem, max: 10, now: Date.now });
  t.after(async () => {
    await vhosts.close({ deadline: 0 });
    await main.close({ deadline: 0 });
  });
  await vhosts.open({ opened: () => {}, failed: () => {} });
  return vhosts;
}

test('a deletion that failed is finished by asking again', async (t) => {
  let isDown = false;
  const vhosts = await openVhosts(t, 'memory:', (storage) =>
    isDown ? Promise.reject(new Error('the store is down')) : MessageQueueSystem.open({ storage }),
  );
  await vhosts.put('shop', {});
  isDown = true;
  await assert.rejects(vhosts.remove('shop', { force: true }), { message: 'the store is down' });
  await assert.rejects(vhosts.put('shop', {}), { code: 'CONFLICT' });
  isDown = false;
  await Promise.all([
    vhosts.remove('shop', { force: true }),
    vhosts.remove('shop', { force: true }),
  ]);
  await assert.rejects(vhosts.remove('shop', { force: true }), { code: 'VHOST_NOT_FOUND' });
  assert.equal(await vhosts.put('shop', {}), true);
});

test('a folder goes when nobody has it open any more', async (t) => {
  const store = await makeFolder(t);
  const vhosts = await openVhosts(t, store, (storage) => MessageQueueSystem.open({ storage }));
  const filesAtClose: number[] = [];
  vhosts.beforeClose(async () => {
    await setTimeout(50);
    const [folder] = await readdir(join(store, 'vhosts'));
    filesAtClose.push(
      folder === undefined ? 0 : (await readdir(join(store, 'vhosts', folder))).length,
    );
  });
  await vhosts.put('shop', {});
  await vhosts.remove('shop', { force: true });
  assert.deepEqual(filesAtClose, [2]);
  assert.deepEqual(await readdir(join(store, 'vhosts')), []);
});

test('a virtual host that goes while the body comes is not found', async (t) => {
  const broker = await startBroker();
  t.after(() => broker.close({ deadline: 0 }));
  const client = new Client(broker);
  await client.call('PUT', 'vhosts/shop');
  await client.call('PUT', 'vhosts/shop/queues/orders', {});
  const body = '{"payload":1}';
  const headers = {
    'content-type': 'application/json',
    'content-length': body.length,
    expect: '100-continue',
  };
  const url = `${broker.url}/api/v1/vhosts/shop/queues/orders/messages`;
  const sending = request(url, { method: 'POST', headers });
  t.after(() => sending.destroy());
  sending.flushHeaders();
  await once(sending, 'continue');
  await client.call('DELETE', 'vhosts/shop');
  const answered = once(sending, 'response') as Promise<[IncomingMessage]>;
  sending.end(body);
  const [response] = await answered;
  assert.equal(response.statusCode, 404);
  response.resume();
});

test('there are so many, and the default one stays', async (t) => {
  const broker = await startBroker({ limits: { vhosts: 2 } });
  t.after(() => broker.close({ deadline: 0 }));
  const client = new Client(broker);
  await client.call('PUT', 'vhosts/a');
  await client.call('PUT', 'vhosts/a', { description: 'changed' });
  assert.equal((await client.ask('PUT', 'vhosts/b')).body['code'], 'LIMIT_REACHED');
  await client.call('DELETE', 'vhosts/a');
  await client.call('PUT', 'vhosts/b');
  for (const method of ['PUT', 'DELETE']) {
    assert.equal((await client.ask(method, 'vhosts/%2F')).body['code'], 'VALIDATION', method);
  }
});
