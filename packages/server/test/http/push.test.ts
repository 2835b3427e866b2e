import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Client, clientOf, until } from './client.ts';

interface Frame {
  readonly type: string;
  readonly id?: number;
  readonly receipt?: string;
  readonly payload?: unknown;
  readonly results?: { ok: boolean; error?: { code: string } }[];
  readonly problem?: { code: string; limit?: number };
}

let broker: Broker;
let ask: Client;

before(async () => {
  broker = await startBroker({ limits: { pushCredit: 10 } });
  ask = clientOf(broker);
});
after(() => broker.close());

async function newQueue(settings: object = {}): Promise<string> {
  const path = `/queues/${randomUUID()}`;
  await ask('PUT', path, { json: settings });
  return path;
}

async function send(path: string, count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, payload) => ({ payload }));
  await ask('POST', `${path}/messages/batch`, { json: { messages } });
}

/** A push client that keeps what it gets. */
async function connect(path: string, query = '') {
  const socket = new WebSocket(`${broker.url.replace('http', 'ws')}/api/v1${path}/push${query}`);
  const frames: Frame[] = [];
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame));
  await once(socket, 'open');
  const say = (frame: object): void => socket.send(JSON.stringify(frame));
  const of = (type: string): Frame[] => frames.filter((frame) => frame.type === type);
  return { socket, frames, say, of };
}

test('messages are pushed as far as there is credit, and settled over the connection', async () => {
  const path = await newQueue();
  await send(path, 5);
  const { socket, say, of } = await connect(path, '?consumer=worker');
  say({ type: 'credit', n: 3 });
  await until(() => of('message').length === 3);
  const info = (await ask('GET', path)).body;
  assert.deepEqual([info.leased, info.ready, info.consumerCount], [3, 2, 1]);
  const [consumer] = (await ask('GET', '/consumers')).body.consumers;
  assert.deepEqual(
    [consumer.kind, consumer.consumer, consumer.held, consumer.credit],
    ['push', 'worker', 3, 0],
  );
  const [first, second, third] = of('message').map((message) => message.receipt!);
  say({ type: 'ack', id: 1, receipts: [first, 'bm8'] });
  say({ type: 'reject', id: 2, items: [{ receipt: second, deadLetter: true }] });
  say({ type: 'extend', id: 3, receipts: [third], leaseDuration: '1h' });
  await until(() => of('result').length === 3);
  const results = new Map(
    of('result').map(({ id, results: all }) => [id, all!.map(({ ok }) => ok)]),
  );
  assert.deepEqual(
    [results.get(1), results.get(2), results.get(3)],
    [[true, false], [true], [true]],
  );
  say({ type: 'credit', n: 5 });
  await until(() => of('message').length === 5);
  await send(path, 1);
  await until(() => of('message').length === 6);
  socket.close();
  await once(socket, 'close');
  await until(async () => (await ask('GET', path)).body.ready === 4);
  assert.equal((await ask('GET', path)).body.consumerCount, 0);
});

test('a client that breaks off gives back what it held, counted as a failure', async () => {
  const path = await newQueue({ maxRetries: 5 });
  await send(path, 1);
  const { socket, say, of } = await connect(path);
  say({ type: 'credit', n: 1 });
  await until(() => of('message').length === 1);
  socket.terminate();
  const { body } = await ask('POST', `${path}/receive`, { json: { wait: '5s' } });
  assert.deepEqual([body.messages[0].deliveryCount, body.messages[0].retryCount], [2, 1]);
});

test('a client gives back what it held, however much', async (t) => {
  const own = await startBroker({ limits: { pushCredit: 20_000 } });
  t.after(() => own.close({ deadline: 0 }));
  const count = 10_001;
  const call = clientOf(own);
  await call('PUT', '/queues/many', { json: {} });
  const messages = Array.from({ length: count }, () => ({ payload: 0 }));
  for (let i = 0; i < count; i += 1_000) {
    const some = { messages: messages.slice(i, i + 1_000) };
    await call('POST', '/queues/many/messages/batch', { json: some });
  }
  const socket = new WebSocket(`${own.url.replace('http', 'ws')}/api/v1/queues/many/push`);
  t.after(() => socket.terminate());
  let handed = 0;
  socket.on('message', () => (handed += 1));
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'credit', n: count }));
  await until(() => handed === count);
  socket.close();
  await until(async () => (await call('GET', '/queues/many')).body.ready === count);
});

test('wrong frames are answered, and the connection goes on', async () => {
  const path = await newQueue();
  const { socket, frames, say, of } = await connect(path);
  socket.send('{');
  say({ type: 'credits', n: 1 });
  say({ type: 'credit', n: 0 });
  say({ type: 'credit', id: 9, n: 11 });
  say({ type: 'reject', items: [{ receipt: 'x', delay: 'soon' }] });
  socket.send('{"type":"ack","receipts":[],"__proto__":{}}');
  await until(() => of('error').length === 6);
  const codes = of('error').map((frame) => frame.problem!.code);
  assert.deepEqual(codes.toSorted(), [
    'INVALID_JSON',
    'INVALID_JSON',
    'OVERLOADED',
    'VALIDATION',
    'VALIDATION',
    'VALIDATION',
  ]);
  assert.equal(frames.find((frame) => frame.id === 9)!.problem!.limit, 10);
  await send(path, 1);
  say({ type: 'credit', n: 1 });
  await until(() => of('message').length === 1);
  socket.close();
});

test('a queue that is not there, and a request that is no upgrade, are refused', async () => {
  const url = `${broker.url.replace('http', 'ws')}/api/v1/queues/nowhere/push`;
  const socket = new WebSocket(url);
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    { statusCode: number },
  ];
  assert.equal(response.statusCode, 404);
  socket.on('error', () => {});
  socket.terminate();
  const plain = await ask('GET', `${await newQueue()}/push`);
  assert.deepEqual([plain.status, plain.body.code], [426, 'UPGRADE_REQUIRED']);
});

test('a client that does not read is handed no more than it is owed', async () => {
  const path = await newQueue();
  const messages = Array.from({ length: 10 }, () => ({ payload: 'x'.repeat(1024 * 1024) }));
  await ask('POST', `${path}/messages/batch`, { json: { messages } });
  const { socket, say, of } = await connect(path);
  socket.pause();
  say({ type: 'credit', n: 10 });
  await until(async () => (await ask('GET', path)).body.leased > 0);
  socket.resume();
  await until(() => of('message').length === 10);
  socket.close();
});

test('closing the broker says goodbye, and nothing is lost', async (t) => {
  const own = await startBroker();
  t.after(() => own.close());
  const socket = new WebSocket(`${own.url.replace('http', 'ws')}/api/v1/queues/dead-letter/push`);
  await once(socket, 'open');
  const closed = once(socket, 'close');
  await own.close();
  const [code] = (await closed) as [number];
  assert.equal(code, 1001);
});
