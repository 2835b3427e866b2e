/** Accounts of the configuration: who is let in at the start, and after a reload. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startBroker } from '../broker.ts';
import { Client } from '../client.ts';
import { basic } from './fixture.ts';

const root = { name: 'root', password: 'correct horse', admin: true };
const asRoot = { authorization: basic('root', 'correct horse') };
const EVERYWHERE = { host: '0.0.0.0' };

test('a broker that others can reach does not start without accounts', async (t) => {
  for (const host of ['0.0.0.0', '::']) {
    await assert.rejects(startBroker({ host }), { code: 'CONFIG', message: /users nor tokens/ });
  }
  const broker = await startBroker({ ...EVERYWHERE, users: [root] });
  t.after(() => broker.close({ deadline: 0 }));
  const local = { url: `http://127.0.0.1:${broker.port}` };
  assert.equal((await new Client(local).ask('GET', 'queues')).status, 401);
  assert.equal((await new Client(local, asRoot).ask('GET', 'queues')).status, 200);
  await assert.rejects(broker.reload({}), { code: 'CONFIG' });
  assert.equal((await new Client(local, asRoot).ask('GET', 'queues')).status, 200);
});

test('accounts of the store are enough', async (t) => {
  const store = await mkdtemp(join(tmpdir(), 'wherry-accounts-'));
  t.after(() => rm(store, { recursive: true, force: true }));
  const first = await startBroker({ store });
  await new Client(first).call('PUT', 'users/root', { password: 'correct horse', admin: true });
  await first.close();
  const second = await startBroker({ store, ...EVERYWHERE });
  t.after(() => second.close({ deadline: 0 }));
  const local = { url: `http://127.0.0.1:${second.port}` };
  assert.equal((await new Client(local).ask('GET', 'queues')).status, 401);
  assert.equal((await new Client(local, asRoot).ask('GET', 'queues')).status, 200);
});

test('a reload takes users and tokens, and ends what those it dropped had begun', async (t) => {
  const secret = `wht_${'x'.repeat(43)}`;
  const digest = createHash('sha256').update(secret).digest('hex');
  const broker = await startBroker({ users: [root] });
  t.after(() => broker.close({ deadline: 0 }));
  const bearer = new Client(broker, { authorization: `Bearer ${secret}` });
  assert.equal((await bearer.ask('GET', 'queues')).status, 401);
  const permissions = [{ read: ['*'] }];
  await broker.reload({ users: [root], tokens: [{ name: 'ci', digest, permissions }] });
  assert.equal((await bearer.ask('GET', 'queues')).status, 200);
  assert.equal((await bearer.ask('PUT', 'queues/x', {})).status, 403);

  const controller = new AbortController();
  t.after(() => controller.abort());
  const events = await fetch(`${broker.url}/api/v1/events`, {
    headers: { authorization: `Bearer ${secret}` },
    signal: controller.signal,
  });
  assert.equal(events.status, 200);
  await broker.reload({ users: [root] });
  assert.equal((await bearer.ask('GET', 'queues')).status, 401);
  // It comes to its end; nobody is told anything more.
  const ended = (async () => {
    const reader = events.body!.getReader();
    while (!(await reader.read()).done);
  })();
  const timeout = AbortSignal.timeout(5_000);
  await Promise.race([
    ended.catch(() => undefined),
    new Promise((_resolve, reject) => {
      timeout.addEventListener('abort', () => reject(new Error('the events go on')));
    }),
  ]);
});

test('a stream of messages ends with the right to send them', async (t) => {
  const broker = await startBroker({ users: [root] });
  t.after(() => broker.close({ deadline: 0 }));
  const asAdmin = new Client(broker, asRoot);
  await asAdmin.call('PUT', 'queues/orders', {});
  const token = { name: 'sender', permissions: [{ write: ['orders'] }] };
  const { secret } = await asAdmin.call<{ secret: string }>('POST', 'tokens', token);
  const url = `${broker.url}/api/v1/queues/orders/messages/stream`;
  const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/x-ndjson' };
  const ended = new Promise<string>((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers }, (response) => {
      response.on('error', () => resolve('cut'));
      response.on('close', () => resolve('cut'));
      response.once('data', () => {
        asAdmin.call('DELETE', 'tokens/sender').catch(reject);
      });
    });
    sent.on('error', () => resolve('cut'));
    sent.write('{"payload":1}\n');
    AbortSignal.timeout(5_000).addEventListener('abort', () => {
      sent.destroy();
      reject(new Error('it goes on'));
    });
  });
  assert.equal(await ended, 'cut');
});

test('a configuration that is wrong changes nothing', async (t) => {
  const broker = await startBroker({ users: [root] });
  t.after(() => broker.close({ deadline: 0 }));
  const short = { users: [{ ...root, password: 'short' }] };
  await assert.rejects(broker.reload(short));
  await assert.rejects(broker.reload({ users: [{ ...root, passwordHash: 'x' }] }));
  const noHash = { users: [{ name: 'root', admin: true, passwordHash: 'correct horse' }] };
  await assert.rejects(broker.reload(noHash), { code: 'VALIDATION' });
  assert.equal((await new Client(broker, asRoot).ask('GET', 'queues')).status, 200);
});
