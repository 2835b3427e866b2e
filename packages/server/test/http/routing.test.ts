import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Client, clientOf } from './client.ts';

let broker: Broker;
let ask: Client;

before(async () => {
  broker = await startBroker();
  ask = clientOf(broker);
  for (const name of ['eu', 'us']) await ask('PUT', `/queues/${name}`);
});
after(() => broker.close());

test('a message is published to every queue that is bound to match', async () => {
  assert.equal((await ask('PUT', '/exchanges/orders', { json: { type: 'topic' } })).status, 201);
  assert.equal((await ask('PUT', '/exchanges/orders', { json: { type: 'topic' } })).status, 200);
  const other = await ask('PUT', '/exchanges/orders', { json: { type: 'fanout' } });
  assert.equal(other.status, 409);
  const bindings = [
    { exchange: 'orders', queue: 'eu', routingKey: '*.eu' },
    { exchange: 'orders', queue: 'us', routingKey: 'created.#' },
  ];
  for (const json of bindings) assert.equal((await ask('PUT', '/bindings', { json })).status, 204);
  const message = { payload: 1 };
  const json = { routingKey: 'created.eu', message };
  const headers = { 'idempotency-key': 'once' };
  const published = await ask('POST', '/exchanges/orders/publish', { json, headers });
  assert.deepEqual(published.body.queues.toSorted(), ['eu', 'us']);
  const again = await ask('POST', '/exchanges/orders/publish', { json, headers });
  assert.equal(again.body.duplicate, true);
  const nobody = await ask('POST', '/exchanges/orders/publish', {
    json: { routingKey: 'gone', message },
  });
  assert.deepEqual(nobody.body.queues, []);
  assert.equal((await ask('GET', '/bindings?queue=eu')).body.bindings.length, 1);
  assert.equal((await ask('GET', '/bindings?exchange=orders')).body.bindings.length, 2);
  assert.equal((await ask('DELETE', '/bindings', { json: bindings[0] })).status, 204);
  assert.equal((await ask('GET', '/bindings')).body.bindings.length, 1);
  assert.equal((await ask('GET', '/exchanges/orders')).body.type, 'topic');
  assert.equal((await ask('DELETE', '/exchanges/orders')).status, 204);
  assert.deepEqual((await ask('GET', '/exchanges')).body.exchanges, []);
  assert.equal((await ask('GET', '/exchanges/orders')).body.code, 'EXCHANGE_NOT_FOUND');
  const unbound = await ask('PUT', '/bindings', { json: bindings[0] });
  assert.deepEqual([unbound.status, unbound.body.code], [404, 'EXCHANGE_NOT_FOUND']);
});

test('a schedule is made, looked at, paused, resumed and removed', async () => {
  const json = {
    cron: '0 6 * * *',
    timezone: 'Europe/Berlin',
    queue: 'eu',
    message: { payload: 'AP8=', payloadEncoding: 'base64', priority: 3 },
    startAt: '2030-01-01T00:00:00Z',
    endAt: Date.UTC(2031, 0, 1),
  };
  const made = await ask('PUT', '/schedules/daily', { json });
  assert.equal(made.status, 201);
  assert.deepEqual(made.body.message, json.message);
  assert.equal(made.body.startAt, Date.UTC(2030, 0, 1));
  assert.equal((await ask('PUT', '/schedules/daily', { json })).status, 200);
  const ticks = await ask('GET', '/schedules/daily/ticks?count=2');
  assert.deepEqual(ticks.body.ticks, [Date.UTC(2030, 0, 1, 5), Date.UTC(2030, 0, 2, 5)]);
  assert.equal((await ask('POST', '/schedules/daily/pause')).body.paused, true);
  assert.deepEqual((await ask('GET', '/schedules/daily/ticks')).body.ticks, []);
  assert.equal((await ask('POST', '/schedules/daily/resume')).body.paused, false);
  assert.equal((await ask('GET', '/schedules')).body.schedules.length, 1);
  assert.equal((await ask('DELETE', '/schedules/daily')).status, 204);
  assert.equal((await ask('GET', '/schedules/daily')).body.code, 'SCHEDULE_NOT_FOUND');
  const both = { ...json, every: '5s' };
  const wrong = await ask('PUT', '/schedules/daily', { json: both });
  assert.match(wrong.body.detail, /exactly one of cron and every/);
});

test('the overview counts what is there, and raises alarms', async () => {
  await ask('PUT', '/queues/small', { json: { maxSize: 2 } });
  const messages = [{ payload: 1 }, { payload: 2 }];
  await ask('POST', '/queues/small/messages/batch', { json: { messages } });
  const { body } = await ask('GET', '/overview');
  const [vhost] = body.vhosts;
  assert.equal(vhost.name, '/');
  assert.ok(vhost.ready >= 2);
  assert.deepEqual(
    body.alarms.map((alarm: { kind: string; queue: string }) => [alarm.kind, alarm.queue]),
    [['queue-full', 'small']],
  );
  assert.equal((await ask('GET', '/whoami')).body.admin, true);
});

test('a connection is listed and can be cut', async () => {
  const { connections } = (await ask('GET', '/connections')).body;
  assert.ok(connections.length > 0);
  assert.equal(connections[0].remoteAddress, '127.0.0.1');
  const { status, body } = await ask('DELETE', '/connections/999999');
  assert.deepEqual([status, body.code], [404, 'CONNECTION_NOT_FOUND']);
  const headers = { 'user-agent': 'watcher' };
  const events = await fetch(`${broker.url}/api/v1/events`, { headers });
  const listed = (await ask('GET', '/connections')).body.connections;
  const watcher = listed.find((one: { userAgent: string }) => one.userAgent === 'watcher');
  assert.equal((await ask('DELETE', `/connections/${watcher.id}`)).status, 204);
  await assert.rejects(events.text());
});
