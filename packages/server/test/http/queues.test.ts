import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DEFAULT_QUEUE_SETTINGS } from 'wherry';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Client, clientOf } from './client.ts';

let broker: Broker;
let ask: Client;

before(async () => {
  broker = await startBroker();
  ask = clientOf(broker);
});
after(() => broker.close());

test('a queue is created once, changed, described and deleted', async () => {
  const created = await ask('PUT', '/queues/orders', {
    json: { maxSize: 10, leaseDuration: '1m' },
  });
  assert.equal(created.status, 201);
  const { settings } = created.body;
  assert.deepEqual(settings, { ...DEFAULT_QUEUE_SETTINGS, maxSize: 10, leaseDuration: 60_000 });
  const again = await ask('PUT', '/queues/orders', {
    json: { leaseDuration: 60_000, maxSize: 10 },
  });
  assert.equal(again.status, 200);
  const other = await ask('PUT', '/queues/orders', { json: { maxSize: 11 } });
  assert.deepEqual([other.status, other.body.code], [409, 'QUEUE_EXISTS']);
  const changed = await ask('PATCH', '/queues/orders', { json: { maxSize: null } });
  assert.equal(changed.body.settings.maxSize, null);
  assert.equal((await ask('GET', '/queues/orders')).body.settings.maxSize, null);
  assert.deepEqual((await ask('DELETE', '/queues/orders')).body, { deleted: 0 });
  const gone = await ask('GET', '/queues/orders');
  assert.deepEqual([gone.status, gone.body.code], [404, 'QUEUE_NOT_FOUND']);
});

test('a queue with messages is deleted by force only; purge empties it', async () => {
  await ask('PUT', '/queues/full');
  await ask('POST', '/queues/full/messages', { json: { payload: 1 } });
  await ask('POST', '/queues/full/messages', { json: { payload: 2, delay: '1h' } });
  const refused = await ask('DELETE', '/queues/full');
  assert.deepEqual([refused.status, refused.body.code], [409, 'QUEUE_NOT_EMPTY']);
  assert.deepEqual((await ask('POST', '/queues/full/purge')).body, { purged: 2 });
  await ask('POST', '/queues/full/messages', { json: { payload: 3 } });
  assert.deepEqual((await ask('DELETE', '/queues/full?force')).body, { deleted: 1 });
});

test('a paused queue hands nothing out', async () => {
  await ask('PUT', '/queues/paused');
  assert.equal((await ask('POST', '/queues/paused/pause')).body.settings.paused, true);
  await ask('POST', '/queues/paused/messages', { json: { payload: 1 } });
  assert.deepEqual((await ask('POST', '/queues/paused/receive')).body.messages, []);
  assert.equal((await ask('POST', '/queues/paused/resume')).body.settings.paused, false);
  assert.equal((await ask('POST', '/queues/paused/receive')).body.messages.length, 1);
});

test('a list is filtered, sorted and paged', async () => {
  for (const [i, name] of ['list-b', 'list-a', 'list-c'].entries()) {
    await ask('PUT', `/queues/${name}`);
    const messages = Array.from({ length: i }, () => ({ payload: i }));
    await ask('POST', `/queues/${name}/messages/batch`, { json: { messages } });
  }
  const names = async (query: string): Promise<string[]> => {
    const { body } = await ask('GET', `/queues?name=list-&${query}`);
    assert.equal(body.total, 3);
    return body.queues.map((queue: { name: string }) => queue.name);
  };
  assert.deepEqual(await names(''), ['list-a', 'list-b', 'list-c']);
  assert.deepEqual(await names('order=desc'), ['list-c', 'list-b', 'list-a']);
  assert.deepEqual(await names('sort=ready'), ['list-b', 'list-a', 'list-c']);
  assert.deepEqual(await names('sort=ready&order=desc&limit=1'), ['list-c']);
  const first = await ask('GET', '/queues?name=list-&limit=2');
  assert.deepEqual(await names(`limit=2&cursor=${first.body.cursor}`), ['list-c']);
  const wrong = await ask('GET', '/queues?cursor=x');
  assert.deepEqual([wrong.status, wrong.body.field], [400, 'query.cursor']);
});

test('names that look like paths, patterns or code are names', async () => {
  const names = [
    'a/b',
    '../../etc/passwd',
    '...',
    '%2F',
    'a%00b',
    '__proto__',
    'constructor',
    'toString',
    'ключ 键 🔑',
    "'; DROP TABLE messages; --",
    '<script>alert(1)</script>',
    '*',
    'a?b#c&d=e',
    'é'.repeat(127),
  ];
  for (const name of names) {
    const path = `/queues/${encodeURIComponent(name).replaceAll('.', '%2E')}`;
    assert.equal((await ask('PUT', path)).status, 201, name);
    await ask('POST', `${path}/messages`, { json: { payload: name } });
    const { body } = await ask('POST', `${path}/receive`);
    assert.equal(body.messages[0].queueName, name);
    assert.equal((await ask('DELETE', `${path}?force=true`)).status, 200, name);
  }
});

test('names that are none are refused with the reason', async () => {
  for (const name of ['a%00b', '%0a', '%20a', 'x'.repeat(256), '%ED%A0%80', '%zz']) {
    const { status, body } = await ask('PUT', `/queues/${name}`);
    assert.equal(status, 400, name);
    assert.ok(body.detail.length > 20, body.detail);
  }
});

test('what is wrong is told at once, with the field, the limit and a suggestion', async () => {
  const json = {
    maxRetrys: 1,
    maxSize: 0,
    leaseDuration: 'soon',
    rateLimit: { max: 1, pro: '1s' },
  };
  const { status, body } = await ask('PUT', '/queues/wrong', { json });
  assert.equal(status, 400);
  assert.equal(body.type, 'urn:wherry:error:VALIDATION');
  const details = new Map(
    body.errors.map(({ field, detail }: { field: string; detail: string }) => [field, detail]),
  );
  assert.match(String(details.get('body.maxRetrys')), /did you mean 'maxRetries'/);
  assert.match(String(details.get('body.maxSize')), /is 0: .*>=1/);
  assert.match(String(details.get('body.leaseDuration')), /is "soon": .*'30s'/);
  assert.match(String(details.get('body.rateLimit.pro')), /not known.*max, per|did you mean 'per'/);
  assert.match(String(details.get('body.rateLimit.per')), /is missing/);
  assert.equal((await ask('GET', '/queues/wrong')).status, 404);
});

test('methods that a path does not have are told', async () => {
  const refused = await ask('DELETE', '/queues');
  assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD']);
  const posted = await ask('POST', '/queues/x', { json: {} });
  assert.equal(posted.status, 405);
  const url = `${broker.url}/api/v1/queues/x`;
  const options = await fetch(url, { method: 'OPTIONS' });
  assert.deepEqual(
    [options.status, options.headers.get('allow')],
    [204, 'PUT, GET, HEAD, PATCH, DELETE'],
  );
  const head = await fetch(`${broker.url}/api/v1/queues/dead-letter`, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  assert.ok(Number(head.headers.get('content-length')) > 100);
  const nothing = await ask('GET', '/no/such/thing');
  assert.deepEqual([nothing.status, nothing.body.code], [404, 'ROUTE_NOT_FOUND']);
});

test('a request has an id, its own if it is a sane one', async () => {
  const own = await ask('GET', '/queues/none', { headers: { 'x-request-id': 'abc-1' } });
  assert.deepEqual([own.headers.get('x-request-id'), own.body.requestId], ['abc-1', 'abc-1']);
  const insane = await ask('GET', '/queues/none', { headers: { 'x-request-id': 'a b"c' } });
  assert.match(insane.body.requestId, /^[0-9a-f-]{36}$/);
});

test('a virtual host that is not there has no queues', async () => {
  const elsewhere = clientOf(broker, '/api/v1/vhosts/none');
  assert.equal((await elsewhere('GET', '/queues')).body.code, 'VHOST_NOT_FOUND');
  const here = clientOf(broker, '/api/v1/vhosts/%2F');
  assert.equal((await here('GET', '/queues')).status, 200);
});
