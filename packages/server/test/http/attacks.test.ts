import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { type Socket, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Client, clientOf, until } from './client.ts';

const MIB = 1024 * 1024;
const LIMITS = {
  bodyBytes: MIB,
  headerBytes: 8_192,
  connections: 300,
  inFlightBytes: 2 * MIB,
  batch: 10,
  longPolls: 2,
  requestTimeoutMs: 1_000,
  headersTimeoutMs: 1_000,
  unreadBytes: 16_384,
  eventsPerSecond: 1_000_000,
};

let broker: Broker;
let ask: Client;

before(async () => {
  broker = await startBroker({ limits: LIMITS });
  ask = clientOf(broker);
});
after(() => broker.close());

/** A client that says just what it is told to say. */
function dial(t: TestContext, port = broker.port): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  return socket;
}

/** All that the server says until it closes the connection. */
async function hear(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString('latin1')));
  if (!socket.destroyed) await once(socket, 'close').catch(() => {});
  return text;
}

const head = (path: string, ...headers: string[]): string =>
  [`POST /api/v1${path} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n');

async function newQueue(): Promise<string> {
  const path = `/queues/${randomUUID()}`;
  await ask('PUT', path);
  return path;
}

test('200 clients that never end their headers are cut; others are served meanwhile', async (t) => {
  const began = performance.now();
  const slow = Array.from({ length: 200 }, () => dial(t));
  const drips = slow.map((socket) => {
    socket.write('GET /api/v1/overview HTTP/1.1\r\nHost: localhost\r\n');
    return setInterval(() => socket.writable && socket.write('X-A: b\r\n'), 100);
  });
  t.after(() => drips.forEach(clearInterval));
  assert.equal((await ask('GET', '/overview')).status, 200);
  const served = performance.now() - began;
  await Promise.all(slow.map((socket) => hear(socket)));
  const cut = performance.now() - began;
  t.diagnostic(`served in ${Math.round(served)} ms, 200 of 200 cut within ${Math.round(cut)} ms`);
  assert.ok(cut < 5_000);
});

test('100 clients that never end their bodies are cut, and nothing stays held', async (t) => {
  const path = await newQueue();
  const began = performance.now();
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => {
      const socket = dial(t);
      socket.write(head(`${path}/messages`, 'Content-Type: text/plain', 'Content-Length: 1000'));
      socket.write('x');
      return hear(socket);
    }),
  );
  t.diagnostic(`100 of 100 cut within ${Math.round(performance.now() - began)} ms`);
  assert.ok(answers.every((answer) => answer.startsWith('HTTP/1.1 408')));
  const { body } = await ask('GET', '/overview');
  assert.equal(body.bytesInFlight, 0);
});

test('a huge body is refused before it is read, or when it comes to the limit', async (t) => {
  const path = await newQueue();
  const rss = process.memoryUsage().rss;
  const declared = dial(t);
  declared.write(
    head(`${path}/messages`, 'Content-Type: text/plain', 'Content-Length: 9999999999'),
  );
  assert.match(await hear(declared), /^HTTP\/1.1 413[^]*PAYLOAD_TOO_LARGE[^]*"limit":1048576/);
  const chunked = dial(t);
  chunked.write(head(`${path}/messages`, 'Content-Type: text/plain', 'Transfer-Encoding: chunked'));
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
  const pour = (): void => {
    while (chunked.writable && chunked.write(chunk));
  };
  chunked.on('drain', pour);
  pour();
  assert.match(await hear(chunked), /^HTTP\/1.1 413/);
  const grown = (process.memoryUsage().rss - rss) / MIB;
  t.diagnostic(`memory grew by ${grown.toFixed(1)} MiB`);
  assert.ok(grown < 64);
});

test('a compressed bomb is not unpacked', async (t) => {
  const path = await newQueue();
  const bomb = gzipSync(Buffer.alloc(100 * MIB));
  for (const encoding of ['gzip', 'deflate', 'br', 'zstd', 'gzip, gzip']) {
    const { status, body } = await ask('POST', `${path}/messages`, {
      body: bomb,
      headers: { 'content-type': 'application/octet-stream', 'content-encoding': encoding },
    });
    assert.deepEqual([status, body.code], [415, 'UNSUPPORTED_MEDIA_TYPE']);
  }
  t.diagnostic(`${bomb.length} bytes would have become ${100 * MIB}`);
});

test('deep JSON costs no stack', async (t) => {
  const path = await newQueue();
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    const depth = 150_000;
    const body = `{"payload":${open.repeat(depth)}1${close.repeat(depth)}}`;
    const began = performance.now();
    const { status, body: problem } = await ask('POST', `${path}/messages`, {
      body,
      headers: { 'content-type': 'application/json' },
    });
    t.diagnostic(`${depth} levels refused in ${Math.round(performance.now() - began)} ms`);
    assert.deepEqual([status, problem.code], [400, 'INVALID_JSON']);
  }
  const most = JSON.parse(`${'['.repeat(499)}${']'.repeat(499)}`) as unknown;
  assert.equal((await ask('POST', `${path}/messages`, { json: { payload: most } })).status, 201);
});

test('no body and no header changes a prototype', async (t) => {
  const path = await newQueue();
  const keys = ['__proto__', '\\u005f_proto__', '__pro\\u0074o__', 'constructor'];
  const values = ['{"polluted":1}', '{"prototype":{"polluted":1}}'];
  const places = (key: string, value: string): string[] => [
    `{"${key}":${value}}`,
    `{"payload":1,"${key}":${value}}`,
    `{"payload":{"${key}":${value}}}`,
    `{"payload":[{"deep":{"${key}":${value}}}]}`,
    `{"payload":1,"headers":{"${key}":${value}}}`,
    `{"payload":1,"deduplication":{"${key}":${value}}}`,
  ];
  const bodies = keys.flatMap((key) => values.flatMap((value) => places(key, value)));
  const targets = [
    `${path}/messages`,
    `${path}/messages/batch`,
    `${path}/receive`,
    '/dead-letters/redrive',
  ];
  const headers = { 'content-type': 'application/json' };
  let refused = 0;
  for (const target of targets) {
    for (const body of bodies) {
      const { status } = await ask('POST', target, { body, headers });
      if (status === 400) refused++;
      else assert.equal(status, 201, body);
    }
  }
  await ask('PUT', '/queues/__proto__');
  await ask('POST', '/queues/__proto__/messages', {
    body: 'x',
    headers: { 'content-type': 'text/plain', 'wherry-header-__proto__': 'polluted' },
  });
  t.diagnostic(`${refused} of ${targets.length * bodies.length} refused, the others harmless`);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  assert.deepEqual(Object.keys(Object.prototype), []);
});

test('names cannot leave the folder of the store', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-names-'));
  const own = await startBroker({ store: join(folder, 'data') });
  t.after(async () => {
    await own.close();
    await rm(folder, { recursive: true });
  });
  const to = clientOf(own);
  const names = [
    '../escaped',
    '..\\escaped',
    '/tmp/wherry-escaped',
    'a/../../escaped',
    '%2e%2e%2fescaped',
  ];
  for (const name of names) {
    const path = `/queues/${encodeURIComponent(name)}`;
    assert.equal((await to('PUT', path)).status, 201);
    assert.equal((await to('POST', `${path}/messages`, { json: { payload: 1 } })).status, 201);
    assert.equal((await to('GET', path)).body.name, name);
  }
  assert.deepEqual(await readdir(folder), ['data']);
  const files = await fetch(`${own.url}/..%2f..%2f..%2fetc%2fpasswd`);
  assert.doesNotMatch(await files.text(), /root:/);
});

test('large headers, and requests that two servers could read differently, are refused', async (t) => {
  const path = await newQueue();
  const long = `X-Long: ${'x'.repeat(10_000)}`;
  const bad = [
    { request: head(`${path}/messages`, long), status: 431 },
    { request: head(`${path}/messages`, 'Content-Length: 1', 'Transfer-Encoding: chunked') },
    { request: head(`${path}/messages`, 'Content-Length: 1', 'Content-Length: 2') },
    { request: head(`${path}/messages`, 'Transfer-Encoding: chunked, identity') },
    { request: head(`${path}/messages`, 'Content-Length: -1') },
    { request: head(`${path}/messages`, 'Bad Header: 1') },
    { request: `POST /api/v1${path}/messages HTTP/1.1\nHost: a\nContent-Length : 1\n\n` },
    { request: 'GET / HTTP/9.9\r\n\r\n' },
  ];
  for (const { request, status = 400 } of bad) {
    const socket = dial(t);
    socket.write(request);
    const answer = await hear(socket);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status}`), request);
    assert.match(answer, /^content-type: application\/problem\+json/im);
  }
  assert.equal((await ask('GET', path)).body.messageCount, 0);
});

test('more bytes in flight than the limit are refused, and room comes back', async (t) => {
  const path = await newQueue();
  const hold = (): Socket => {
    const socket = dial(t);
    socket.write(head(`${path}/messages`, 'Content-Type: text/plain', `Content-Length: ${MIB}`));
    return socket;
  };
  const held = [hold(), hold()];
  await until(async () => (await ask('GET', '/overview')).body.bytesInFlight === 2 * MIB);
  const refused = await ask('POST', `${path}/messages`, { json: { payload: 1 } });
  assert.deepEqual([refused.status, refused.body.code], [503, 'OVERLOADED']);
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.equal((await ask('POST', `${path}/receive`)).status, 503);
  for (const socket of held) socket.destroy();
  await until(async () => (await ask('GET', '/overview')).body.bytesInFlight === 0);
  assert.equal((await ask('POST', `${path}/messages`, { json: { payload: 1 } })).status, 201);
});

test('batches, waits and connections have their limits', async (t) => {
  const path = await newQueue();
  const messages = Array.from({ length: 11 }, () => ({ payload: 1 }));
  const batch = await ask('POST', `${path}/messages/batch`, { json: { messages } });
  assert.deepEqual([batch.status, batch.body.field], [400, 'body.messages']);
  const many = await ask('POST', `${path}/receive`, { json: { max: 11 } });
  assert.match(many.body.detail, /at most 10 .*limits\.batch/);
  const stop = new AbortController();
  const wait = { json: { wait: '30s' }, signal: stop.signal };
  const waiting = [1, 2].map(() => assert.rejects(ask('POST', `${path}/receive`, wait)));
  await until(async () => (await ask('GET', '/overview')).body.longPolls === 2);
  const third = await ask('POST', `${path}/receive`, { json: { wait: '30s' } });
  assert.deepEqual([third.status, third.body.limit], [503, 2]);
  stop.abort();
  await Promise.all(waiting);
  const sockets = Array.from({ length: 400 }, () => dial(t));
  const closed = new Set<Socket>();
  for (const socket of sockets) socket.once('close', () => closed.add(socket));
  await until(() => closed.size >= 100);
  t.diagnostic(`${closed.size} of 400 connections closed at a limit of 300`);
  for (const socket of sockets) socket.destroy();
  await until(() =>
    ask('GET', '/overview').then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
});

test('a message in a response that a client does not wait for is given back', async (t) => {
  const own = await startBroker();
  t.after(() => own.close());
  const to = clientOf(own);
  await to('PUT', '/queues/large');
  const headers = { 'content-type': 'application/octet-stream' };
  const body = new Uint8Array(16 * MIB);
  assert.equal((await to('POST', '/queues/large/messages', { body, headers })).status, 201);
  const socket = dial(t, own.port);
  socket.write(head('/queues/large/receive?raw', 'Content-Length: 0'));
  // Nothing more is read: what the kernel does not hold stays in the broker.
  await once(socket, 'readable');
  socket.resetAndDestroy();
  await until(async () => (await to('GET', '/queues/large')).body.ready === 1);
  const [message] = (await to('POST', '/queues/large/receive')).body.messages;
  assert.equal(message.deliveryCount, 1);
  assert.ok((await to('GET', '/overview')).body.bytesInFlight < MIB);
});

test('a response of many large messages holds no more than fits', async (t) => {
  const path = await newQueue();
  for (let i = 0; i < 30; i++) {
    await ask('POST', `${path}/messages`, { json: { payload: 'x'.repeat(MIB / 4) } });
  }
  const { body } = await ask('POST', `${path}/receive`, { json: { max: 10 } });
  t.diagnostic(`${body.messages.length} messages of 256 KiB in a response of at most 1 MiB`);
  assert.ok(body.messages.length >= 3 && body.messages.length <= 4);
  const { leased, ready } = (await ask('GET', path)).body;
  assert.deepEqual([leased, ready], [body.messages.length, 30 - body.messages.length]);
  const page = await ask('GET', `${path}/messages?limit=100`);
  assert.ok(page.body.messages.length <= 4);
});

test('a stream whose results are not read is not read either, and ended', async (t) => {
  const path = await newQueue();
  const socket = dial(t);
  await once(socket, 'connect');
  const { localPort } = socket;
  socket.pause();
  const type = 'Content-Type: application/x-ndjson';
  socket.write(head(`${path}/messages/stream`, type, 'Transfer-Encoding: chunked'));
  const lines = '{"payload":1}\n'.repeat(4_000);
  const chunk = `${lines.length.toString(16)}\r\n${lines}\r\n`;
  const pour = (): void => void (socket.writable && socket.write(chunk));
  socket.on('drain', () => setImmediate(pour));
  pour();
  const began = performance.now();
  await until(async () => {
    const { connections } = (await ask('GET', '/connections')).body;
    return connections.every(({ remotePort }: { remotePort: number }) => remotePort !== localPort);
  });
  await until(async () => (await ask('GET', '/overview')).body.bytesInFlight === 0);
  const { messageCount } = (await ask('GET', path)).body;
  const ms = Math.round(performance.now() - began);
  t.diagnostic(`ended after ${ms} ms and ${messageCount} messages`);
  assert.ok(messageCount < 1_000_000);
});

test('a reader of events who does not read is cut', async (t) => {
  const long = `/queues/${'x'.repeat(250)}`;
  await ask('PUT', long);
  const reader = dial(t);
  reader.write('GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(reader, 'data');
  reader.pause();
  const gone = (): Promise<boolean> =>
    ask('GET', '/connections').then(({ body }) =>
      body.connections.every((one: { remotePort: number }) => one.remotePort !== reader.localPort),
    );
  const began = performance.now();
  const messages = Array.from({ length: 10 }, () => ({ payload: 1 }));
  let sent = 0;
  while (!(await gone())) {
    assert.ok(performance.now() - began < 20_000, 'it was not cut');
    for (let i = 0; i < 20; i++) {
      const batches = Array.from({ length: 10 }, () =>
        ask('POST', `${long}/messages/batch`, { json: { messages } }),
      );
      await Promise.all(batches);
      sent += batches.length * messages.length;
    }
  }
  t.diagnostic(`cut after ${sent} events in ${Math.round(performance.now() - began)} ms`);
});
