/** Who may ask the management API, users and permissions, and what says how the broker is. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Broker } from '../../src/index.ts';
import { type Answer, type Client, clientOf } from '../http/client.ts';
import { basic } from '../access/fixture.ts';
import { rawRequest } from '../access/raw-request.ts';
import { startBroker } from '../broker.ts';
import { managementOf, startBoth } from './management-client.ts';

let broker: Broker;
let root: Client;

before(async () => {
  broker = await startBoth({
    users: [{ name: 'root', password: 'correct horse', admin: true }],
    limits: { loginsPerMinute: 1_000 },
  });
  root = managementOf(broker, 'root', 'correct horse');
});
after(() => broker.close({ deadline: 0 }));

const put = (path: string, json: unknown): Promise<Answer> => root('PUT', path, { json });

test('users are made, changed and deleted, and what is told of them is no secret', async () => {
  const json = { password: 'ada secret', tags: 'management' };
  assert.equal((await put('/users/ada', json)).status, 201);
  assert.equal((await put('/users/ada', { ...json, tags: ['administrator'] })).status, 204);
  assert.deepEqual((await root('GET', '/users/ada')).body, {
    name: 'ada',
    password_hash: '',
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags: ['administrator'],
    limits: {},
  });
  const names = (await root('GET', '/users')).body.map(({ name }: { name: string }) => name);
  assert.deepEqual(names.toSorted(), ['ada', 'root']);
  assert.equal((await put('/users/ada', { tags: '' })).status, 204);
  const me = (await managementOf(broker, 'ada', 'ada secret')('GET', '/whoami')).body;
  assert.deepEqual(me, { name: 'ada', tags: [] });
  assert.equal((await put('/users/eve', { tags: '' })).status, 400);
  assert.equal((await put('/users/eve', { password: 'eve secret' })).status, 400);
  assert.equal((await put('/users/eve', { password: 'short', tags: '' })).status, 400);
  const both = { password: 'eve secret', password_hash: 'x', tags: '' };
  assert.equal((await put('/users/eve', both)).status, 400);
  const md5 = { password_hash: 'x', hashing_algorithm: 'rabbit_password_hashing_md5', tags: '' };
  assert.match((await put('/users/eve', md5)).body.reason, /Give the user a new password/);
  // It stands in the configuration.
  assert.equal((await put('/users/root', { password: 'another one', tags: '' })).status, 409);
  assert.equal((await root('DELETE', '/users/ada')).status, 204);
  assert.equal((await root('DELETE', '/users/ada')).status, 404);
});

test('permissions are given and taken per virtual host', async () => {
  await put('/vhosts/shop', {});
  await put('/users/ben', { password: 'ben secret', tags: '' });
  const ben = managementOf(broker, 'ben', 'ben secret');
  assert.deepEqual((await ben('GET', '/vhosts')).body, []);
  assert.equal((await ben('GET', '/queues/shop')).status, 403);
  const rights = { configure: '^ben-.*', write: '^(ben-.*|amq\\.default)$', read: '.*' };
  assert.equal((await put('/permissions/shop/ben', rights)).status, 201);
  assert.equal((await put('/permissions/shop/ben', rights)).status, 204);
  assert.deepEqual((await root('GET', '/permissions/shop/ben')).body, {
    user: 'ben',
    vhost: 'shop',
    ...rights,
  });
  const json = {};
  assert.equal((await ben('PUT', '/queues/shop/ben-1', { json })).status, 201);
  assert.equal((await ben('PUT', '/queues/shop/other', { json })).status, 403);
  // Where a dead letter goes is written to.
  const dead = { arguments: { 'x-dead-letter-exchange': 'amq.topic' } };
  assert.equal((await ben('PUT', '/queues/shop/ben-2', { json: dead })).status, 403);
  const lost = { arguments: { 'alternate-exchange': 'amq.topic' } };
  assert.equal((await ben('PUT', '/exchanges/shop/ben-2', { json: lost })).status, 403);
  assert.equal((await ben('POST', '/bindings/shop/e/amq.topic/q/ben-1', { json })).status, 201);
  assert.equal((await ben('POST', '/bindings/shop/e/ben-1/e/amq.topic', { json })).status, 403);
  const message = {
    properties: {},
    routing_key: 'ben-1',
    payload: 'x',
    payload_encoding: 'string',
  };
  const publish = (exchange: string): Promise<Answer> =>
    ben('POST', `/exchanges/shop/${exchange}/publish`, { json: message });
  assert.equal((await publish('amq.default')).status, 200);
  assert.equal((await publish('amq.topic')).status, 403);
  assert.equal((await ben('GET', '/users')).status, 403);
  assert.equal((await ben('GET', '/definitions')).status, 403);
  assert.deepEqual((await ben('GET', '/overview')).body.object_totals.queues, 2);
  assert.equal((await root('GET', '/vhosts/shop/permissions')).body.length, 1);
  const ranges = { ...rights, read: '^[a-z]+$' };
  const { status, body } = await put('/permissions/shop/ben', ranges);
  assert.equal(status, 400);
  assert.match(body.reason, /^Permission 'read' of user 'ben' in the virtual host 'shop'/);
  assert.equal((await put('/permissions/shop/nobody', rights)).status, 404);
  assert.equal((await put('/permissions/missing/ben', rights)).status, 404);
  assert.equal((await root('DELETE', '/permissions/shop/ben')).status, 204);
  assert.equal((await root('DELETE', '/permissions/shop/ben')).status, 404);
  assert.equal((await ben('GET', '/queues/shop')).status, 403);
});

test('permissions that are given at the same time are all kept', async () => {
  await put('/users/cy', { password: 'cy secret!', tags: '' });
  const vhosts = ['v1', 'v2', 'v3', 'v4', 'v5'];
  await Promise.all(vhosts.map((vhost) => put(`/vhosts/${vhost}`, {})));
  const rights = { configure: '', write: '', read: '.*' };
  const put5 = vhosts.map((vhost) => put(`/permissions/${vhost}/cy`, rights));
  assert.deepEqual(
    (await Promise.all(put5)).map(({ status }) => status),
    [201, 201, 201, 201, 201],
  );
  assert.equal((await root('GET', '/users/cy/permissions')).body.length, 5);
});

test('credentials are asked for, and errors are in the form that clients know', async () => {
  for (const ask of [managementOf(broker), managementOf(broker, 'root', 'wrong')]) {
    const { status, body } = await ask('GET', '/overview');
    assert.deepEqual([status, body.error], [401, 'not_authorized']);
  }
  const { status, body } = await root('GET', '/queues/%2F/none');
  assert.deepEqual([status, body.error, body.code], [404, 'Object Not Found', 'QUEUE_NOT_FOUND']);
});

test('while nobody is configured, credentials are as good as none, and let in no other page', async (t) => {
  const open = await startBoth();
  t.after(() => open.close({ deadline: 0 }));
  const guest = managementOf(open, 'guest', 'guest');
  assert.equal((await guest('GET', '/whoami')).status, 200);
  // A page whose name was made to lead here could show whatever credentials it likes.
  const authorization = basic('guest', 'guest');
  const headers = { host: 'evil.example', authorization };
  const rebound = await rawRequest(`${open.url}/api/whoami`, { method: 'GET', headers });
  assert.equal(rebound.status, 403);
  const foreign = await guest('GET', '/whoami', { headers: { origin: 'http://evil.example' } });
  assert.equal(foreign.status, 403);
  // Our own API takes credentials at their word.
  const own = await clientOf(open)('GET', '/whoami', { headers: { authorization } });
  assert.equal(own.status, 401);
  const form = await guest('PUT', '/queues/%2F/x', {
    body: 'durable=true',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  assert.equal(form.status, 415);
});

test('the overview and the node say what runs', async () => {
  const { body } = await root('GET', '/overview');
  assert.equal(body.product_name, 'Wherry');
  assert.match(body.rabbitmq_version, /^3\.10\./);
  assert.ok(body.exchange_types.some(({ name }: { name: string }) => name === 'x-delayed-message'));
  const amqp = body.listeners.find(({ protocol }: { protocol: string }) => protocol === 'amqp');
  assert.equal(amqp.port, broker.amqpPort);
  const [node] = (await root('GET', '/nodes')).body;
  assert.equal(node.name, body.node);
  assert.equal(node.running, true);
});

test('health checks pass, or say what is missing', async () => {
  const paths = [
    '/healthchecks/node',
    '/health/checks/alarms',
    '/health/checks/local-alarms',
    '/health/checks/virtual-hosts',
    '/health/checks/node-is-mirror-sync-critical',
    '/health/checks/node-is-quorum-critical',
    '/health/checks/certificate-expiration/1/months',
    `/health/checks/port-listener/${broker.amqpPort}`,
    '/health/checks/protocol-listener/amqp091',
    '/aliveness-test/%2F',
  ];
  for (const path of paths) {
    const { status, body } = await root('GET', path);
    assert.deepEqual([status, body.status], [200, 'ok'], path);
  }
  for (const path of ['port-listener/1', 'protocol-listener/mqtt']) {
    const { status, body } = await root('GET', `/health/checks/${path}`);
    assert.deepEqual([status, body.status], [503, 'failed'], path);
  }
});

test('a broker without AMQP says so', async (t) => {
  const plain = await startBroker({ amqp: { enabled: false } });
  t.after(() => plain.close({ deadline: 0 }));
  const { status, body } = await managementOf(plain)('GET', '/queues');
  assert.equal(status, 501);
  assert.match(body.reason, /amqp\.enabled is false/);
  assert.equal((await managementOf(plain)('GET', '/users')).status, 200);
});

test('alarms are shown, and nothing is published meanwhile', async (t) => {
  const short = await startBoth({ limits: { memory: '1mb' } });
  t.after(() => short.close({ deadline: 0 }));
  const ask = managementOf(short);
  const [node] = (await ask('GET', '/nodes')).body;
  assert.deepEqual([node.mem_alarm, node.disk_free_alarm], [true, false]);
  const { status, body } = await ask('GET', '/health/checks/alarms');
  assert.deepEqual([status, body.alarms[0].kind], [503, 'memory']);
  const json = { properties: {}, routing_key: 'q', payload: 'x', payload_encoding: 'string' };
  const refused = await ask('POST', '/exchanges/%2F/amq.default/publish', { json });
  assert.equal(refused.status, 503);
});
