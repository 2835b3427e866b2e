/** As many definitions as the configuration allows, whoever makes them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { managementOf, startBoth } from '../management/management-client.ts';
import { clientOf } from './client.ts';

/** AMQP's own, made when the broker starts. */
const PREDECLARED = 6;

test("our own API and RabbitMQ's share the limits of a virtual host", async (t) => {
  // One of the queues is for dead letters.
  const limits = { queues: 3, exchanges: PREDECLARED + 2, bindings: 1 };
  const broker = await startBoth({ limits });
  t.after(() => broker.close({ deadline: 0 }));
  const ask = clientOf(broker);
  const manage = managementOf(broker);
  const full = (kind: keyof typeof limits): string =>
    `There are ${limits[kind]} ${kind} in the virtual host '/' (limits.${kind}), ` +
    'which is the limit. Delete one first.';

  assert.equal((await ask('PUT', '/queues/a')).status, 201);
  assert.equal((await manage('PUT', '/queues/%2F/b', { json: { durable: true } })).status, 201);
  const { status, body } = await ask('PUT', '/queues/c');
  assert.deepEqual([status, body.code, body.detail], [409, 'LIMIT_REACHED', full('queues')]);
  const refused = await manage('PUT', '/queues/%2F/c', { json: { durable: true } });
  assert.deepEqual([refused.status, refused.body.reason], [400, full('queues')]);
  assert.equal((await ask('PUT', '/queues/a')).status, 200, 'it is there');

  const json = { type: 'fanout' };
  assert.equal((await ask('PUT', '/exchanges/x', { json })).status, 201);
  assert.equal((await manage('PUT', '/exchanges/%2F/y', { json })).status, 201);
  assert.equal((await ask('PUT', '/exchanges/z', { json })).body.detail, full('exchanges'));
  assert.equal((await manage('PUT', '/exchanges/%2F/z', { json })).body.reason, full('exchanges'));

  const binding = { exchange: 'x', queue: 'a' };
  assert.equal((await ask('PUT', '/bindings', { json: binding })).status, 204);
  assert.equal((await ask('PUT', '/bindings', { json: binding })).status, 204, 'it is there');
  const other = { exchange: 'x', queue: 'b' };
  assert.equal((await ask('PUT', '/bindings', { json: other })).body.detail, full('bindings'));
  const path = '/bindings/%2F/e/x/q/b';
  assert.equal((await manage('POST', path, { json: {} })).body.reason, full('bindings'));
  assert.equal((await ask('DELETE', '/bindings', { json: binding })).status, 204);
  assert.equal((await manage('POST', path, { json: {} })).status, 201);
});
