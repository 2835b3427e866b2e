import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { type TestContext, after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { closestName } from '../../src/closest-name.ts';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Client, clientOf, until } from './client.ts';

const BODY_BYTES = 64 * 1024;
const WAIT = '{"wait":"20s"}';
const JSON_HEADER = 'Content-Type: application/json';

let broker: Broker;
/** As an administrator. */
let ask: Client;

before(async () => {
  const users = [{ name: 'admin', password: 'a long password', admin: true }];
  broker = await startBroker({ users, limits: { bodyBytes: BODY_BYTES } });
  const anybody = clientOf(broker);
  ask = (method, path, options = {}) =>
    anybody(method, path, { ...options, headers: { ...options.headers, ...basic('admin') } });
});
after(() => broker.close());

function basic(user: string): Record<string, string> {
  const text = Buffer.from(`${user}:a long password`).toString('base64');
  return { authorization: `Basic ${text}` };
}

function request(line: string, ...rest: string[]): string {
  return [`${line} HTTP/1.1`, 'Host: localhost', ...rest].join('\r\n');
}

/** One that waits as long as a test takes, as an administrator. */
function requestToReceive(path: string): string {
  const { authorization } = basic('admin');
  const headers = [`Authorization: ${authorization}`, `Content-Length: ${WAIT.length}`];
  return `${request(`POST /api/v1${path}/receive`, JSON_HEADER, ...headers)}\r\n\r\n${WAIT}`;
}

function say(t: TestContext, text: string): Socket {
  const socket = connect(broker.port, '127.0.0.1');
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  socket.write(text);
  return socket;
}

/** What the server says until there is what is waited for. */
async function hear(socket: Socket, what: RegExp): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString('latin1')));
  await until(() => what.test(text));
  return text;
}

const bytesInFlight = async (): Promise<number> =>
  (await ask('GET', '/overview')).body.bytesInFlight;

async function newQueue(): Promise<string> {
  const path = `/queues/${randomUUID()}`;
  await ask('PUT', path);
  return path;
}

test('a request that waits behind another holds nothing when its connection is gone', async (t) => {
  const receive = requestToReceive(await newQueue());
  const login = request('POST /api/v1/session', JSON_HEADER, 'Content-Length: 8000');
  const socket = say(t, `${receive}${login}\r\n\r\n{`);
  await until(async () => (await bytesInFlight()) === 8_000 + WAIT.length);
  socket.destroy();
  await until(async () => (await bytesInFlight()) === 0);
});

test('a body that nobody wants is not waited for', async (t) => {
  const wants = [
    ['POST /nowhere', /^HTTP\/1.1 404[^]*ROUTE_NOT_FOUND/],
    ['DELETE /api/v1/nowhere', /^HTTP\/1.1 404/],
    ['OPTIONS /api/v1/session', /^HTTP\/1.1 204[^]*allow: POST/i],
  ] as const;
  for (const [line, answer] of wants) {
    const socket = say(t, `${request(line, JSON_HEADER, 'Content-Length: 60000')}\r\n\r\n{`);
    const closed = once(socket, 'close');
    await hear(socket, answer);
    await closed;
  }
});

test('a stranger reserves no room for large bodies', async (t) => {
  for (const size of ['Content-Length: 60000', 'Transfer-Encoding: chunked']) {
    const head = request('POST /api/v1/session', JSON_HEADER, size);
    const socket = say(t, `${head}\r\n\r\n4000\r\n${' '.repeat(16_384)}\r\n`);
    const answer = await hear(socket, /"limit":\d+/);
    assert.match(answer, /^HTTP\/1.1 413[^]*"limit":8192/);
  }
  assert.equal(await bytesInFlight(), 0);
});

test('a request with very many mistakes is told a few of them', async () => {
  const headers = { 'content-type': 'application/json' };
  const path = await newQueue();
  const keys = Array.from({ length: 5_000 }, (_, i) => `"k${i}":0`).join(',');
  for (const body of [`{"${'x'.repeat(60_000)}":1}`, `{${keys}}`]) {
    const { status, body: problem } = await ask('POST', `${path}/messages`, { body, headers });
    assert.equal(status, 400);
    assert.ok(JSON.stringify(problem).length < 10_000);
  }
  const entries = `[${'0,'.repeat(20_000)}0]`;
  for (const [to, name] of [
    ['messages/batch', 'messages'],
    ['acknowledge', 'receipts'],
  ] as const) {
    const answer = await ask('POST', `${path}/${to}`, { body: `{"${name}":${entries}}`, headers });
    assert.match(answer.body.detail, /20001 entries; at most 10000/);
  }
  const [wrong] = (
    await ask('POST', `${path}/messages/batch`, { json: { messages: [{ pay: 1 }] } })
  ).body.errors;
  assert.match(JSON.stringify(wrong), /payload/);
  assert.equal(closestName('queue'.repeat(20), ['queue'.repeat(19)]), null);
  assert.equal(closestName('quue', ['queue']), 'queue');
});

test('a page of messages is no larger than a response may be, however they vary', async () => {
  const path = await newQueue();
  const messages = Array.from({ length: 500 }, () => ({ payload: 'x'.repeat(20) }));
  for (let i = 0; i < 3; i++) await ask('POST', `${path}/messages/batch`, { json: { messages } });
  const large = { payload: 'x'.repeat(BODY_BYTES / 2), priority: 9 };
  for (let i = 0; i < 10; i++) await ask('POST', `${path}/messages`, { json: large });
  const seen = new Set<string>();
  let cursor = '';
  do {
    const { body } = await ask('GET', `${path}/messages?limit=1000${cursor}`);
    assert.ok(JSON.stringify(body).length < BODY_BYTES + 1_000);
    for (const { id } of body.messages) seen.add(id);
    cursor = body.cursor === null ? '' : `&cursor=${encodeURIComponent(body.cursor)}`;
  } while (cursor !== '');
  assert.equal(seen.size, 1_510);
  assert.equal(await bytesInFlight(), 0);
});

test('a receive that waits behind another one gets its message', async (t) => {
  const path = await newQueue();
  const receive = requestToReceive(path);
  const socket = say(t, receive + receive);
  await until(async () => (await ask('GET', '/overview')).body.longPolls === 2);
  const messages = [{ payload: 'one' }, { payload: 'two' }];
  await ask('POST', `${path}/messages/batch`, { json: { messages } });
  await hear(socket, /(?:"payload":"(?:one|two)"[^]*){2}/);
  assert.equal((await ask('GET', path)).body.leased, 2);
});

test('a push with a lease that is too long is refused before the upgrade', async (t) => {
  const url = `${broker.url.replace('http', 'ws')}/api/v1${await newQueue()}/push`;
  const socket = new WebSocket(`${url}?leaseDuration=2d`, { headers: basic('admin') });
  socket.on('error', () => {});
  t.after(() => socket.terminate());
  const signal = AbortSignal.timeout(5_000);
  const [, response] = (await once(socket, 'unexpected-response', { signal })) as [
    unknown,
    { statusCode: number },
  ];
  assert.equal(response.statusCode, 400);
});

test('a pusher whose rights have ended gets nothing more, though it does not close', async (t) => {
  const path = await newQueue();
  const permissions = [{ vhost: '/', read: ['*'] }];
  await ask('PUT', '/users/reader', { json: { password: 'a long password', permissions } });
  const url = `${broker.url.replace('http', 'ws')}/api/v1${path}/push`;
  const socket = new WebSocket(url, { headers: basic('reader') });
  t.after(() => socket.terminate());
  await once(socket, 'open');
  const pushed = once(socket, 'message');
  socket.send('{"type":"credit","n":10}');
  await ask('POST', `${path}/messages`, { json: { payload: 1 } });
  const { receipt } = JSON.parse(String((await pushed)[0])) as { receipt: string };
  // It does not see the close, and says nothing to it.
  socket.pause();
  await ask('DELETE', '/users/reader');
  await until(async () => (await ask('GET', path)).body.ready === 1);
  socket.send(JSON.stringify({ type: 'ack', receipts: [receipt] }));
  await ask('POST', `${path}/messages`, { json: { payload: 2 } });
  const { body } = await ask('POST', `${path}/receive`, { json: { max: 2 } });
  assert.deepEqual(
    body.messages.map((one: { payload: number; retryCount: number }) => [
      one.payload,
      one.retryCount,
    ]),
    [
      [1, 0],
      [2, 0],
    ],
  );
});
