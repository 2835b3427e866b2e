/** Ways to reach a name without having a right to it: each is closed. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { Client } from '../client.ts';
import { basic } from './fixture.ts';

let broker: Broker;
let root: Client;
/** May do everything to what begins with `mine`. */
let tenant: Client;

before(async () => {
  broker = await startBroker({ users: [{ name: 'root', password: 'correct horse', admin: true }] });
  root = new Client(broker, { authorization: basic('root', 'correct horse') });
  const mine = ['mine*'];
  const permissions = [{ configure: mine, write: mine, read: mine }];
  const { secret } = await root.call<{ secret: string }>('POST', 'tokens', {
    name: 'tenant',
    permissions,
  });
  tenant = new Client(broker, { authorization: `Bearer ${secret}` });
  await root.call('PUT', 'queues/theirs', {});
  await root.call('PUT', 'exchanges/theirs', { type: 'fanout' });
  await root.call('POST', 'queues/theirs/messages', { payload: 'theirs' });
  await tenant.call('PUT', 'queues/mine', {});
  await tenant.call('PUT', 'exchanges/mine', { type: 'fanout' });
});
after(() => broker.close({ deadline: 0 }));

async function refused(method: string, path: string, body?: unknown): Promise<void> {
  const answer = await tenant.ask(method, path, body);
  assert.deepEqual([answer.status, answer.body['code']], [403, 'FORBIDDEN'], `${method} ${path}`);
}

test('a dead-letter queue of somebody else', async () => {
  await refused('PUT', 'queues/mine.2', { deadLetterQueue: 'theirs' });
  await refused('PATCH', 'queues/mine', { deadLetterQueue: 'theirs' });
  await tenant.call('PATCH', 'queues/mine', { deadLetterQueue: 'mine.dead' });
});

test('an alternate exchange of somebody else', () =>
  refused('PUT', 'exchanges/mine.2', { type: 'fanout', alternateExchange: 'theirs' }));

test('a binding from or to somebody else', async () => {
  const routingKey = '';
  await refused('PUT', 'bindings', { exchange: 'theirs', queue: 'mine', routingKey });
  await refused('PUT', 'bindings', { exchange: 'mine', queue: 'theirs', routingKey });
  const on = { exchange: 'mine', destinationExchange: 'theirs', routingKey };
  await refused('PUT', 'bindings', on);
});

test('a schedule into a queue or exchange of somebody else', async () => {
  const schedule = { every: '1h', message: { payload: 1 } };
  await refused('PUT', 'schedules/mine', { ...schedule, queue: 'theirs' });
  await refused('PUT', 'schedules/mine', { ...schedule, exchange: 'theirs', routingKey: '' });
  await root.call('PUT', 'schedules/theirs', { ...schedule, queue: 'theirs' });
  await refused('PUT', 'schedules/theirs', { ...schedule, queue: 'mine' });
  await refused('DELETE', 'schedules/theirs');
});

test('a redrive into a queue of somebody else, or wherever they came from', async () => {
  await refused('POST', 'dead-letters/redrive', { from: 'mine', to: 'theirs' });
  await refused('POST', 'dead-letters/redrive', { from: 'mine' });
  await refused('POST', 'dead-letters/redrive', { from: 'theirs', to: 'mine' });
  await refused('POST', 'dead-letters/purge', { queue: 'theirs' });
});

test('a receipt or an id of a queue of somebody else', async () => {
  const { messages } = await root.call<{ messages: { receipt: string; id: string }[] }>(
    'POST',
    'queues/theirs/receive',
    { leaseDuration: '1m' },
  );
  const { receipt, id } = messages[0]!;
  for (const [verb, body] of [
    ['acknowledge', { receipts: [receipt] }],
    ['reject', { items: [{ receipt }] }],
    ['extend', { receipts: [receipt], leaseDuration: '1h' }],
  ] as const) {
    const { results } = await tenant.call<{ results: { ok: boolean; error?: { code: string } }[] }>(
      'POST',
      `queues/mine/${verb}`,
      body,
    );
    assert.equal(results[0]!.error?.code, 'LEASE_LOST', verb);
  }
  assert.equal((await tenant.ask('GET', `queues/mine/messages/${id}`)).status, 404);
  const { results } = await root.call<{ results: { ok: boolean }[] }>(
    'POST',
    'queues/theirs/acknowledge',
    { receipts: [receipt] },
  );
  assert.equal(results[0]!.ok, true);
});

test('lists name only what may be used', async () => {
  const lists: [path: string, key: string, names: string[]][] = [
    ['queues', 'queues', ['mine']],
    ['exchanges', 'exchanges', ['mine']],
    ['schedules', 'schedules', []],
    ['vhosts', 'vhosts', ['/']],
  ];
  for (const [path, key, expected] of lists) {
    const body = await tenant.call<Record<string, { name: string }[]>>('GET', path);
    const names = body[key]!.map(({ name }) => name);
    assert.deepEqual(names, expected, path);
  }
});
