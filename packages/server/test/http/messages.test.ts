import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Client, clientOf, until } from './client.ts';

let broker: Broker;
let ask: Client;

before(async () => {
  broker = await startBroker();
  ask = clientOf(broker);
});
after(() => broker.close());

/** A queue of the test's own. @returns its path */
async function newQueue(settings: object = {}): Promise<string> {
  const path = `/queues/${randomUUID()}`;
  await ask('PUT', path, { json: settings });
  return path;
}

async function receiveAll(path: string, max = 100) {
  const { body } = await ask('POST', `${path}/receive`, { json: { max } });
  return body.messages as { receipt: string; id: string; payload: unknown }[];
}

test('a message is sent, received and acknowledged with all its fields', async () => {
  const path = await newQueue();
  const message = {
    payload: { to: 'ada@example.com', list: [1, null, 'é'] },
    contentType: 'application/vnd.mail+json',
    headers: { tenant: 'blue', count: 3, urgent: true, none: null },
    priority: 9,
    ttl: '1h',
    maxRetries: 5,
    deduplicationId: 'd-1',
    groupId: 'g',
    correlationId: 'c',
    replyTo: 'answers',
    messageId: 'm',
  };
  const sent = await ask('POST', `${path}/messages`, { json: message });
  assert.equal(sent.status, 201);
  const again = await ask('POST', `${path}/messages`, { json: message });
  assert.deepEqual([again.status, again.body], [200, { id: sent.body.id, duplicate: true }]);
  const { body } = await ask('POST', `${path}/receive`, {
    json: { leaseDuration: '5m', consumer: 'mailer' },
  });
  const [received] = body.messages;
  const { ttl: _ttl, ...fields } = message;
  for (const [name, value] of Object.entries(fields)) assert.deepEqual(received[name], value, name);
  assert.equal(received.id, sent.body.id);
  assert.equal(received.expiresAt - received.timestamp, 3_600_000);
  assert.equal(received.lease.consumerId, 'mailer');
  assert.equal(received.lease.token, undefined);
  const { receipt } = received;
  const settled = await ask('POST', `${path}/acknowledge`, {
    json: { receipts: [receipt, receipt] },
  });
  assert.deepEqual(
    settled.body.results.map(
      (result: { ok: boolean; error?: { code: string; status: number } }) => [
        result.ok,
        result.error?.code,
        result.error?.status,
      ],
    ),
    [
      [true, undefined, undefined],
      [false, 'LEASE_LOST', 409],
    ],
  );
  assert.equal((await ask('GET', path)).body.messageCount, 0);
});

test('a raw body is the payload, text or bytes, and comes back as it was', async () => {
  const path = await newQueue();
  const headers = {
    'wherry-priority': '3',
    'wherry-group-id': encodeURIComponent('gruppe é'),
    'wherry-correlation-id': '42',
    'wherry-delay': '0',
    'wherry-header-tenant': encodeURIComponent('blau/ü'),
  };
  const bytes = new Uint8Array([0, 255, 10, 13, 128]);
  await ask('POST', `${path}/messages`, {
    body: 'grüße',
    headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' },
  });
  await ask('POST', `${path}/messages`, { body: bytes, headers: { 'content-type': 'image/png' } });
  const text = await fetch(`${broker.url}/api/v1${path}/receive?raw`, { method: 'POST' });
  assert.equal(await text.text(), 'grüße');
  assert.equal(text.headers.get('content-type'), 'text/plain; charset=utf-8');
  for (const [name, value] of Object.entries(headers)) {
    if (name !== 'wherry-delay') assert.equal(text.headers.get(name), value);
  }
  const image = await fetch(`${broker.url}/api/v1${path}/receive?raw`, { method: 'POST' });
  assert.deepEqual(new Uint8Array(await image.arrayBuffer()), bytes);
  assert.equal(image.headers.get('content-type'), 'image/png');
  const none = await ask('POST', `${path}/receive?raw`);
  assert.deepEqual([none.status, none.body], [204, '']);
  const receipts = [text, image].map((response) => response.headers.get('wherry-receipt'));
  await ask('POST', `${path}/reject`, {
    json: { items: receipts.map((receipt) => ({ receipt, requeue: true })) },
  });
  const browsed = await ask('GET', `${path}/messages`);
  assert.deepEqual(
    browsed.body.messages.map((message: { payload: string; payloadEncoding?: string }) => [
      message.payload,
      message.payloadEncoding,
    ]),
    [
      ['grüße', undefined],
      [Buffer.from(bytes).toString('base64'), 'base64'],
    ],
  );
});

test('a raw body may be empty', async () => {
  const path = await newQueue();
  const headers = { 'content-type': 'text/plain' };
  const sent = await ask('POST', `${path}/messages`, { body: '', headers });
  assert.equal(sent.status, 201);
  assert.equal((await receiveAll(path))[0]!.payload, '');
  assert.equal((await ask('POST', `${path}/messages`)).status, 400);
});

test('what raw bodies and their headers must not be', async () => {
  const path = await newQueue();
  const send = (headers: Record<string, string>, body: string | Uint8Array = 'x') =>
    ask('POST', `${path}/messages`, {
      body,
      headers: { 'content-type': 'text/plain', ...headers },
    });
  assert.match((await send({ 'wherry-prority': '1' })).body.detail, /header\.wherry-prority/);
  assert.equal((await send({ 'wherry-priority': '256' })).body.field, 'header.priority');
  assert.match((await send({ 'wherry-group-id': '100%' })).body.detail, /%25/);
  assert.equal((await send({}, new Uint8Array([0xff]))).status, 400);
  assert.equal((await send({ 'content-type': 'text/plain; charset=latin1' })).status, 415);
  assert.equal((await ask('GET', path)).body.messageCount, 0);
});

test('bytes travel in JSON as base64', async () => {
  const path = await newQueue();
  const json = { payload: 'AAH/', payloadEncoding: 'base64' };
  await ask('POST', `${path}/messages`, { json });
  const [message] = await receiveAll(path);
  assert.deepEqual({ ...message, ...json }, message);
  const wrong = await ask('POST', `${path}/messages`, { json: { ...json, payload: 'A A' } });
  assert.deepEqual([wrong.status, wrong.body.field], [400, 'body.payload']);
});

test('with an Idempotency-Key a request is stored once, whatever the queue remembers', async () => {
  for (const deduplicationWindow of [0, '5m']) {
    const path = await newQueue({ deduplicationWindow });
    const headers = { 'idempotency-key': 'order-17' };
    const options = { json: { payload: 1 }, headers };
    const first = await ask('POST', `${path}/messages`, options);
    const second = await ask('POST', `${path}/messages`, options);
    assert.deepEqual([second.status, second.body.duplicate], [200, true]);
    assert.equal(second.body.id, first.body.id);
    const batch = { json: { messages: [{ payload: 1 }, { payload: 2 }] }, headers };
    await ask('POST', `${path}/messages/batch`, batch);
    const { body } = await ask('POST', `${path}/messages/batch`, batch);
    assert.deepEqual(
      body.results.map((result: { duplicate: boolean }) => result.duplicate),
      [true, true],
    );
    assert.equal((await ask('GET', path)).body.messageCount, 3);
    const both = { payload: 1, deduplicationId: 'x' };
    assert.equal((await ask('POST', `${path}/messages`, { json: both, headers })).status, 400);
  }
});

test('a batch is answered message by message; with atomic it is all or none', async () => {
  const path = await newQueue({ maxSize: 2 });
  const messages = [1, 2, 3].map((payload) => ({ payload }));
  const none = await ask('POST', `${path}/messages/batch`, { json: { messages, atomic: true } });
  assert.ok(none.body.results.every((result: { ok: boolean }) => !result.ok));
  assert.equal((await ask('GET', path)).body.messageCount, 0);
  const { body } = await ask('POST', `${path}/messages/batch`, { json: { messages } });
  assert.deepEqual(
    body.results.map((result: { ok: boolean; error?: { code: string } }) => result.error?.code),
    [undefined, undefined, 'QUEUE_FULL'],
  );
  const full = await ask('POST', `${path}/messages`, { json: { payload: 4 } });
  assert.deepEqual([full.status, full.headers.get('retry-after')], [429, '1']);
  const wrong = { messages: [{ payload: 1 }, { payload: 1, priority: 300 }] };
  const refused = await ask('POST', `${path}/messages/batch`, { json: wrong });
  assert.deepEqual([refused.status, refused.body.field], [400, 'body.messages[1].priority']);
});

test('a request waits for a message, and is answered as soon as there is one', async () => {
  const path = await newQueue();
  const waiting = ask('POST', `${path}/receive`, { json: { wait: '30s', max: 10 } });
  await until(async () => (await ask('GET', path)).body.consumerCount === 1);
  const { consumers } = (await ask('GET', '/consumers')).body;
  assert.deepEqual(
    consumers.map((consumer: { kind: string; user: string }) => [consumer.kind, consumer.user]),
    [['poll', 'anonymous']],
  );
  await ask('POST', `${path}/messages`, { json: { payload: 'at last' } });
  const { body } = await waiting;
  assert.deepEqual([body.messages.length, body.messages[0].payload], [1, 'at last']);
  assert.equal((await ask('GET', path)).body.consumerCount, 0);
  const long = await ask('POST', `${path}/receive`, { json: { wait: '2m' } });
  assert.deepEqual([long.status, long.body.field], [400, 'body.wait']);
});

test('what was leased for a client that has gone is given back, uncounted', async () => {
  const path = await newQueue();
  const gone = new AbortController();
  const options = { json: { wait: '30s' }, signal: gone.signal };
  const waiting = assert.rejects(ask('POST', `${path}/receive`, options));
  await until(async () => (await ask('GET', path)).body.consumerCount === 1);
  gone.abort();
  await waiting;
  await until(async () => (await ask('GET', path)).body.consumerCount === 0);
  await ask('POST', `${path}/messages`, { json: { payload: 1 } });
  const [message] = await receiveAll(path);
  assert.equal((message as unknown as { deliveryCount: number }).deliveryCount, 1);
});

test('messages are rejected, extended and given back by receipt', async () => {
  const path = await newQueue({ backoff: 0, maxRetries: 1, leaseDuration: '200ms' });
  const messages = ['retry', 'dead', 'later', 'keep'].map((payload) => ({ payload }));
  await ask('POST', `${path}/messages/batch`, { json: { messages } });
  const [retry, dead, later, keep] = (await receiveAll(path)).map(({ receipt }) => receipt);
  const extended = await ask('POST', `${path}/extend`, {
    json: { receipts: [keep], leaseDuration: '1m' },
  });
  assert.deepEqual(extended.body.results, [{ ok: true }]);
  const items = [
    { receipt: retry, reason: 'no luck' },
    { receipt: dead, deadLetter: true, reason: 'no hope' },
    { receipt: later, delay: '1h' },
    { receipt: 'bm9uZQ' },
  ];
  const { body } = await ask('POST', `${path}/reject`, { json: { items } });
  assert.deepEqual(
    body.results.map((result: { ok: boolean }) => result.ok),
    [true, true, true, false],
  );
  const { ready, scheduled, leased } = (await ask('GET', path)).body;
  assert.deepEqual({ ready, scheduled, leased }, { ready: 1, scheduled: 1, leased: 1 });
  const both = { items: [{ receipt: retry, requeue: true, delay: 1 }] };
  assert.equal((await ask('POST', `${path}/reject`, { json: both })).status, 400);
});

test('G4 a receipt of another queue is of no use', async () => {
  const [mine, other] = [await newQueue(), await newQueue()];
  await ask('POST', `${mine}/messages`, { json: { payload: 1 } });
  const [message] = await receiveAll(mine);
  const json = { receipts: [message!.receipt] };
  const foreign = await ask('POST', `${other}/acknowledge`, { json });
  assert.equal(foreign.body.results[0].error.code, 'LEASE_LOST');
  assert.deepEqual((await ask('POST', `${mine}/acknowledge`, { json })).body.results, [
    { ok: true },
  ]);
});

test('messages are looked at by state, in pages, and one by one', async () => {
  const path = await newQueue();
  const messages = [
    ...Array.from({ length: 5 }, (_, payload) => ({ payload })),
    { payload: 'later', delay: '1h' },
  ];
  await ask('POST', `${path}/messages/batch`, { json: { messages } });
  const seen: unknown[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { body } = await ask('GET', `${path}/messages?limit=2${query}`);
    seen.push(...body.messages.map((message: { payload: unknown }) => message.payload));
    cursor = body.cursor;
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 4]);
  const scheduled = await ask('GET', `${path}/messages?state=scheduled`);
  const [later] = scheduled.body.messages;
  assert.deepEqual([later.payload, later.state], ['later', 'scheduled']);
  assert.deepEqual((await ask('GET', `${path}/messages/${later.id}`)).body, later);
  const elsewhere = await ask('GET', `${await newQueue()}/messages/${later.id}`);
  assert.deepEqual([elsewhere.status, elsewhere.body.code], [404, 'MESSAGE_NOT_FOUND']);
  assert.equal((await ask('GET', `${path}/messages?state=dead`)).body.field, 'query.state');
});

test('a full queue that blocks lets the request wait for room', async () => {
  const path = await newQueue({ maxSize: 1, overflow: 'block' });
  await ask('POST', `${path}/messages`, { json: { payload: 1 } });
  const waiting = ask('POST', `${path}/messages`, { json: { payload: 2 } });
  const [first] = await receiveAll(path);
  await ask('POST', `${path}/acknowledge`, { json: { receipts: [first!.receipt] } });
  assert.equal((await waiting).status, 201);
});
