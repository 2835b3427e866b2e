import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Answer, type RequestOptions, clientOf, until } from './client.ts';

const PASSWORD = 'correct horse battery staple';

let broker: Broker;
let asAdmin: ReturnType<typeof as>;
let asAda: ReturnType<typeof as>;

before(async () => {
  const permissions = [{ vhost: '/', configure: [], write: ['ada.*'], read: ['ada.*', 'graves'] }];
  broker = await startBroker({
    users: [
      { name: 'admin', password: PASSWORD, admin: true },
      { name: 'ada', password: PASSWORD, permissions },
    ],
  });
  asAdmin = as('admin');
  asAda = as('ada');
  for (const name of ['ada.in', 'bob.in', 'graves']) await asAdmin('PUT', `/queues/${name}`);
});
after(() => broker.close());

function as(user: string) {
  const authorization = authorizationOf(user);
  const ask = clientOf(broker);
  return (method: string, path: string, options: RequestOptions = {}): Promise<Answer> =>
    ask(method, path, { ...options, headers: { ...options.headers, authorization } });
}

function authorizationOf(user: string): string {
  return `Basic ${Buffer.from(`${user}:${PASSWORD}`).toString('base64')}`;
}

const namesIn = (list: { name: string }[]): string[] => list.map(({ name }) => name);

test('lists show what the caller may see', async () => {
  assert.deepEqual(namesIn((await asAda('GET', '/queues')).body.queues), ['ada.in', 'graves']);
  assert.equal((await asAda('GET', '/queues')).body.total, 2);
  for (const queue of ['ada.in', 'bob.in']) {
    const json = { every: '1h', queue, message: { payload: 1 } };
    await asAdmin('PUT', `/schedules/${queue}`, { json });
  }
  assert.deepEqual(namesIn((await asAda('GET', '/schedules')).body.schedules), ['ada.in']);
  for (const name of ['ada.x', 'bob.x']) {
    await asAdmin('PUT', `/exchanges/${name}`, { json: { type: 'fanout' } });
    await asAdmin('PUT', '/bindings', { json: { exchange: name, queue: 'bob.in' } });
  }
  assert.deepEqual(namesIn((await asAda('GET', '/exchanges')).body.exchanges), ['ada.x']);
  assert.equal((await asAda('GET', '/bindings')).body.bindings.length, 1);
  assert.equal((await asAda('GET', '/whoami')).body.admin, false);
});

test('what the body names needs its permission, too', async () => {
  const message = { payload: 1 };
  const refused: [string, string, object][] = [
    ['PUT', '/schedules/new', { every: '1h', queue: 'bob.in', message }],
    ['PUT', '/schedules/bob.in', { every: '1h', queue: 'ada.in', message }],
    ['PUT', '/bindings', { exchange: 'ada.x', queue: 'bob.in' }],
    ['DELETE', '/bindings', { exchange: 'bob.x', queue: 'ada.in' }],
    ['POST', '/dead-letters/redrive', { from: 'graves', to: 'ada.in' }],
    ['POST', '/dead-letters/purge', { queue: 'graves' }],
    ['POST', '/dead-letters/purge', {}],
  ];
  for (const [method, path, json] of refused) {
    const { status, body } = await asAda(method, path, { json });
    assert.deepEqual([status, body.code], [403, 'FORBIDDEN'], `${method} ${path}`);
  }
  assert.equal((await asAda('GET', '/dead-letters')).status, 403);
  assert.equal((await asAda('GET', '/dead-letters?queue=graves')).status, 200);
  assert.equal((await asAda('GET', '/dead-letters/summary')).status, 200);
  for (const verb of ['', '/ticks']) {
    assert.equal((await asAda('GET', `/schedules/bob.in${verb}`)).status, 403);
  }
  assert.equal((await asAda('DELETE', '/schedules/bob.in')).status, 403);
  assert.equal((await asAda('DELETE', '/schedules/ada.in')).status, 204);
});

test('a receipt is of no use to one who may not read its queue', async () => {
  await asAdmin('POST', '/queues/bob.in/messages', { json: { payload: 'secret' } });
  const { body } = await asAdmin('POST', '/queues/bob.in/receive');
  const json = { receipts: [body.messages[0].receipt] };
  assert.equal((await asAda('POST', '/queues/bob.in/acknowledge', { json })).status, 403);
  const foreign = await asAda('POST', '/queues/ada.in/acknowledge', { json });
  assert.equal(foreign.body.results[0].error.code, 'LEASE_LOST');
  const { id } = body.messages[0];
  assert.equal((await asAda('GET', `/queues/ada.in/messages/${id}`)).status, 404);
  assert.deepEqual((await asAdmin('POST', '/queues/bob.in/acknowledge', { json })).body.results, [
    { ok: true },
  ]);
});

test('events are told of queues that the caller may read', async (t) => {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const response = await fetch(`${broker.url}/api/v1/events?types=enqueued`, {
    headers: { authorization: authorizationOf('ada') },
    signal: stop.signal,
  });
  let text = '';
  const reading = (async () => {
    for await (const chunk of response.body!) text += Buffer.from(chunk).toString();
  })().catch(() => {});
  for (const queue of ['bob.in', 'ada.in']) {
    await asAdmin('POST', `/queues/${queue}/messages`, { json: { payload: 1 } });
  }
  await until(() => text.includes('ada.in'));
  assert.doesNotMatch(text, /bob/);
  stop.abort();
  await reading;
});
