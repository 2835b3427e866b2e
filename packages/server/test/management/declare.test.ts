/** Queues, exchanges, bindings and messages. What is expected is what a RabbitMQ 3.10.8 answers. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Broker } from '../../src/index.ts';
import type { Answer, Client } from '../http/client.ts';
import { managementOf, startBoth } from './management-client.ts';

let broker: Broker;
let ask: Client;

before(async () => {
  broker = await startBoth();
  // What a program for RabbitMQ sends, and nobody has been configured yet.
  ask = managementOf(broker, 'guest', 'guest');
});
after(() => broker.close({ deadline: 0 }));

const put = (path: string, json: unknown = {}): Promise<Answer> => ask('PUT', path, { json });
const post = (path: string, json: unknown = {}): Promise<Answer> => ask('POST', path, { json });

async function refused(answer: Promise<Answer>, status: number, reason: RegExp): Promise<void> {
  const { status: is, body } = await answer;
  assert.equal(is, status, JSON.stringify(body));
  assert.match(body.reason, reason);
}

/** As `amqp-publish` would. */
function publish(exchange: string, routingKey: string, more: object = {}): Promise<Answer> {
  return post(`/exchanges/%2F/${exchange}/publish`, {
    properties: {},
    routing_key: routingKey,
    payload: 'hello',
    payload_encoding: 'string',
    ...more,
  });
}

const get = (queue: string, more: object = {}): Promise<Answer> =>
  post(`/queues/%2F/${queue}/get`, {
    count: 10,
    ackmode: 'ack_requeue_false',
    encoding: 'auto',
    ...more,
  });

test('a queue is declared, found again, and refused when it is another', async () => {
  const json = { durable: true, arguments: { 'x-message-ttl': 60_000, 'x-max-priority': 5 } };
  assert.equal((await put('/queues/%2F/declared', json)).status, 201);
  assert.equal((await put('/queues/%2F/declared', json)).status, 204);
  const { body } = await ask('GET', '/queues/%2F/declared');
  assert.deepEqual(body.arguments, json.arguments);
  const { name, vhost, type, durable, auto_delete: autoDelete, exclusive, state } = body;
  assert.deepEqual(
    { name, vhost, type, durable, autoDelete, exclusive, state },
    {
      name: 'declared',
      vhost: '/',
      type: 'classic',
      durable: true,
      autoDelete: false,
      exclusive: false,
      state: 'running',
    },
  );
  await refused(
    put('/queues/%2F/declared', { durable: false }),
    400,
    /^inequivalent arg 'durable' for queue 'declared' in vhost '\/': received 'false' but current is 'true'/,
  );
  await refused(
    put('/queues/%2F/wrong', { arguments: { 'x-message-ttl': 'x' } }),
    400,
    /^invalid arg 'x-message-ttl' for queue 'wrong' in vhost '\/': "expected integer, got longstr"/,
  );
  await refused(put('/queues/%2F/wrong', { durable: 'perhaps' }), 400, /durable/);
  await refused(put('/queues/%2F/amq.mine'), 403, /reserved prefix/);
  const deep = JSON.parse('{"x":'.repeat(50) + '1' + '}'.repeat(50)) as object;
  await refused(put('/queues/%2F/wrong', { arguments: deep }), 400, /within each other/);
  assert.equal((await ask('GET', '/queues/%2F/wrong')).status, 404);
  assert.equal((await ask('GET', '/queues/missing/declared')).status, 404);
});

test('a queue is deleted unless it must not be', async () => {
  await put('/queues/%2F/full');
  await publish('amq.default', 'full');
  await refused(ask('DELETE', '/queues/%2F/full?if-empty=true'), 400, /not empty/);
  assert.equal((await ask('DELETE', '/queues/%2F/full/contents')).status, 204);
  assert.equal((await ask('GET', '/queues/%2F/full')).body.messages, 0);
  assert.equal((await ask('DELETE', '/queues/%2F/full?if-empty=true')).status, 204);
  await refused(ask('DELETE', '/queues/%2F/full'), 404, /no queue 'full'/);
});

test('exchanges are declared and deleted', async () => {
  const json = { type: 'topic', durable: true, arguments: { 'alternate-exchange': 'lost' } };
  assert.equal((await put('/exchanges/%2F/events', json)).status, 201);
  assert.equal((await put('/exchanges/%2F/events', json)).status, 204);
  const { body } = await ask('GET', '/exchanges/%2F/events');
  assert.deepEqual(body, {
    name: 'events',
    vhost: '/',
    type: 'topic',
    durable: true,
    auto_delete: false,
    internal: false,
    arguments: { 'alternate-exchange': 'lost' },
  });
  await refused(
    put('/exchanges/%2F/events', { ...json, type: 'direct' }),
    400,
    /^inequivalent arg 'type' for exchange 'events'/,
  );
  await refused(put('/exchanges/%2F/odd', { type: 'odd' }), 400, /invalid exchange type 'odd'/);
  await refused(ask('DELETE', '/exchanges/%2F/amq.direct'), 403, /not allowed/);
  await refused(put('/exchanges/%2F/amq.default'), 403, /default exchange/);
  assert.equal((await ask('GET', '/exchanges/%2F/amq.default')).body.name, '');
  assert.equal((await ask('DELETE', '/exchanges/%2F/events?if-unused=true')).status, 204);
  await refused(ask('DELETE', '/exchanges/%2F/events'), 404, /no exchange 'events'/);
});

test('bindings are told apart by their keys and arguments', async () => {
  await put('/queues/%2F/bound');
  await put('/exchanges/%2F/source', { type: 'topic' });
  const between = '/bindings/%2F/e/source/q/bound';
  const first = await post(between, { routing_key: 'a.#' });
  assert.equal(first.status, 201);
  assert.equal(first.headers.get('location'), 'q/a.%2523');
  await post(between, { routing_key: 'a.#', arguments: { x: 1 } });
  await post(between);
  const { body } = await ask('GET', between);
  const keys = body.map((one: { properties_key: string }) => one.properties_key);
  assert.equal(keys.length, 3);
  assert.ok(keys.includes('a.%23') && keys.includes('~'), keys.join());
  // Encoded as a path has it, and once more, as clients do that take the key as it is shown.
  for (const path of ['a.%23', 'a.%2523']) {
    assert.equal((await ask('GET', `${between}/${path}`)).body.routing_key, 'a.#');
  }
  const other = keys.find((key: string) => key.includes('~') && key !== '~');
  assert.deepEqual((await ask('GET', `${between}/${encodeURIComponent(other)}`)).body.arguments, {
    x: 1,
  });
  assert.equal((await ask('DELETE', `${between}/${encodeURIComponent(other)}`)).status, 204);
  assert.equal((await ask('DELETE', `${between}/~`)).status, 204);
  await refused(ask('DELETE', `${between}/~`), 404, /properties_key '~'/);
  const mine = (await ask('GET', '/queues/%2F/bound/bindings')).body;
  assert.deepEqual(
    mine.map((one: { source: string }) => one.source),
    ['', 'source'],
  );
  assert.equal((await ask('GET', '/exchanges/%2F/source/bindings/source')).body.length, 1);
  await refused(post('/bindings/%2F/e/none/q/bound'), 404, /no exchange 'none'/);
  await refused(post('/bindings/%2F/e/source/q/none'), 404, /no queue 'none'/);
  await refused(post('/bindings/%2F/e/amq.default/q/bound'), 403, /default exchange/);
  await refused(ask('DELETE', '/bindings/%2F/e/amq.default/q/bound/bound'), 403, /default/);
});

test('exchanges are bound to exchanges', async () => {
  await put('/exchanges/%2F/from', { type: 'fanout' });
  await put('/exchanges/%2F/to', { type: 'fanout' });
  assert.equal((await post('/bindings/%2F/e/from/e/to')).status, 201);
  const [binding] = (await ask('GET', '/exchanges/%2F/to/bindings/destination')).body;
  assert.deepEqual([binding.source, binding.destination_type], ['from', 'exchange']);
  assert.equal((await ask('DELETE', '/bindings/%2F/e/from/e/to/~')).status, 204);
  assert.deepEqual((await ask('GET', '/bindings/%2F/e/from/e/to')).body, []);
});

test('bindings made by our own API are shown as AMQP would have made them', async () => {
  await put('/queues/%2F/matched');
  await put('/exchanges/%2F/matching', { type: 'headers' });
  const response = await fetch(`${broker.url}/api/v1/bindings`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      exchange: 'matching',
      queue: 'matched',
      headers: { kind: 'late' },
      match: 'any',
    }),
  });
  assert.equal(response.status, 204);
  const between = '/bindings/%2F/e/matching/q/matched';
  const [binding] = (await ask('GET', between)).body;
  assert.deepEqual(binding.arguments, { kind: 'late', 'x-match': 'any' });
  const path = `${between}/${encodeURIComponent(binding.properties_key)}`;
  assert.equal((await ask('DELETE', path)).status, 204);
  assert.deepEqual((await ask('GET', between)).body, []);
});

test('a message goes in and comes out with its properties', async () => {
  await put('/queues/%2F/letters');
  const properties = {
    content_type: 'text/plain',
    delivery_mode: 2,
    priority: 3,
    headers: { h: 1, nested: { a: [true, null] } },
    correlation_id: 'c-1',
    timestamp: 1_700_000_000,
  };
  assert.deepEqual((await publish('amq.default', 'letters', { properties })).body, {
    routed: true,
  });
  assert.deepEqual((await publish('amq.default', 'nobody')).body, { routed: false });
  const bytes = Buffer.from([0xff, 0, 1]).toString('base64');
  await publish('amq.default', 'letters', { payload: bytes, payload_encoding: 'base64' });
  const looked = (await get('letters', { ackmode: 'ack_requeue_true' })).body;
  assert.deepEqual(looked[0], {
    payload_bytes: 5,
    redelivered: false,
    exchange: '',
    routing_key: 'letters',
    message_count: 1,
    properties,
    payload: 'hello',
    payload_encoding: 'string',
  });
  assert.deepEqual([looked[1].payload, looked[1].payload_encoding], [bytes, 'base64']);
  const [cut] = (await get('letters', { count: 1, truncate: 2, encoding: 'base64' })).body;
  assert.deepEqual(
    [cut.redelivered, cut.payload, cut.payload_bytes, cut.message_count],
    [true, Buffer.from('he').toString('base64'), 5, 1],
  );
  assert.equal((await get('letters')).body.length, 1);
  assert.deepEqual((await get('letters')).body, []);
});

test('messages that are rejected become dead letters', async () => {
  await put('/queues/%2F/dead');
  const json = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };
  await put('/queues/%2F/dying', { arguments: json });
  await publish('amq.default', 'dying');
  await get('dying', { ackmode: 'reject_requeue_false' });
  const [dead] = (await get('dead')).body;
  assert.equal(dead.properties.headers['x-death'][0].reason, 'rejected');
});

test('what cannot be published is refused', async () => {
  await refused(publish('none', 'x'), 404, /no exchange 'none'/);
  await put('/exchanges/%2F/inside', { internal: true });
  await refused(publish('inside', 'x'), 403, /internal exchange/);
  await refused(
    publish('amq.default', 'x', { payload: '!', payload_encoding: 'base64' }),
    400,
    /base64/,
  );
  const large = { properties: { headers: { h: 'x'.repeat(70_000) } } };
  await refused(
    publish('amq.default', 'x', large),
    400,
    /properties have 70\d+ bytes; at most 65536/,
  );
  const long = { properties: { content_type: 'x'.repeat(70_000) } };
  const { body } = await publish('amq.default', 'x', long);
  assert.match(
    body.reason,
    /^properties\.content_type is "x{79}; it must be a text of at most 255/,
  );
  const wrong = { properties: { delivery_mode: 'x' } };
  await refused(publish('amq.default', 'x', wrong), 400, /properties\.delivery_mode/);
  await refused(publish('amq.default', 'x'.repeat(300)), 400, /routing key|255/i);
  await refused(publish('amq.default', 'x', { properties: { user_id: 'eve' } }), 400, /user_id/);
  await put('/queues/%2F/small', {
    arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
  });
  assert.equal((await publish('amq.default', 'small')).status, 200);
  assert.equal((await publish('amq.default', 'small')).status, 429);
});

test('a look at many messages ends at what a response may hold', async (t) => {
  const small = await startBoth({ limits: { bodyBytes: '64kb' } });
  t.after(() => small.close({ deadline: 0 }));
  const there = managementOf(small);
  await there('PUT', '/queues/%2F/large', { json: {} });
  const message = { properties: {}, payload: 'x'.repeat(30_000), payload_encoding: 'string' };
  const json = { ...message, routing_key: 'large' };
  for (let i = 0; i < 5; i++) await there('POST', '/exchanges/%2F/amq.default/publish', { json });
  const look = { count: 5, ackmode: 'ack_requeue_true', encoding: 'auto' };
  assert.equal((await there('POST', '/queues/%2F/large/get', { json: look })).body.length, 2);
  assert.equal((await there('GET', '/queues/%2F/large')).body.messages_ready, 5);
});

test('lists have pages, columns and an order', async () => {
  for (const name of ['page-c', 'page-a', 'page-b']) await put(`/queues/%2F/${name}`);
  const list = (query: string): Promise<Answer> => ask('GET', `/queues/%2F?name=page-&${query}`);
  assert.deepEqual((await list('sort=name&sort_reverse=true&columns=name')).body, [
    { name: 'page-c' },
    { name: 'page-b' },
    { name: 'page-a' },
  ]);
  const { body } = await list('page=2&page_size=2&columns=name,messages_details.rate');
  assert.deepEqual(body.items, [{ name: 'page-c', messages_details: { rate: 0 } }]);
  assert.deepEqual(
    [body.page, body.page_count, body.filtered_count, body.item_count],
    [2, 2, 3, 1],
  );
  // Bindings have no names.
  assert.deepEqual((await ask('GET', '/bindings?name=undefined')).body, []);
  await refused(list('page=9'), 400, /page is 9; there are 1/);
  await refused(list('use_regex=true'), 400, /use_regex is not taken/);
});

test('virtual hosts come and go', async () => {
  assert.equal((await put('/vhosts/%2F')).status, 204);
  assert.equal((await put('/vhosts/new', { description: 'for a while' })).status, 201);
  assert.equal((await put('/vhosts/new')).status, 204);
  assert.equal((await ask('GET', '/vhosts/new')).body.description, 'for a while');
  await put('/queues/new/q', { durable: true });
  const names = (await ask('GET', '/vhosts')).body.map(({ name }: { name: string }) => name);
  assert.deepEqual(names, ['/', 'new']);
  const all = (await ask('GET', '/queues')).body as { name: string; vhost: string }[];
  assert.ok(all.some(({ name, vhost }) => name === 'q' && vhost === 'new'));
  assert.equal((await ask('DELETE', '/vhosts/new')).status, 204);
  assert.equal((await ask('GET', '/vhosts/new')).status, 404);
});
