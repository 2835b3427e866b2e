import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Client, clientOf } from './client.ts';

let broker: Broker;
let ask: Client;

before(async () => {
  broker = await startBroker({ limits: { bodyBytes: 100_000, requestTimeoutMs: 500 } });
  ask = clientOf(broker);
});
after(() => broker.close());

function openStream(queue: string, headers: Record<string, string> = {}): ClientRequest {
  return request(`${broker.url}/api/v1/queues/${queue}/messages/stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', ...headers },
  });
}

async function answerOf(stream: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(stream, 'response')) as [IncomingMessage];
  return response;
}

async function resultsOf(stream: ClientRequest) {
  const results: { ok: boolean; duplicate?: boolean; error?: { code: string; field: string } }[] =
    [];
  for await (const line of createInterface({ input: await answerOf(stream) })) {
    results.push(JSON.parse(line) as (typeof results)[number]);
  }
  return results;
}

test('a stream is stored line by line, and answered in order', async (t) => {
  await ask('PUT', '/queues/long', {});
  const count = 50_000;
  const stream = openStream('long');
  const results = resultsOf(stream);
  const began = performance.now();
  for (let i = 0; i < count; i += 1_000) {
    const lines = Array.from({ length: 1_000 }, (_, j) => `{"payload":{"number":${i + j}}}\n`);
    if (!stream.write(lines.join(''))) await once(stream, 'drain');
  }
  stream.end();
  const answers = await results;
  t.diagnostic(`${Math.round((count / (performance.now() - began)) * 1_000)} messages/s`);
  assert.equal(answers.length, count);
  assert.ok(answers.every((answer) => answer.ok));
  const { body } = await ask('GET', '/queues/long');
  assert.equal(body.ready, count);
  const first = await ask('POST', '/queues/long/receive', { json: { max: 3 } });
  const numbers = first.body.messages.map(
    (one: { payload: { number: number } }) => one.payload.number,
  );
  assert.deepEqual(numbers, [0, 1, 2]);
});

test('lines may come in any pieces; the last needs no end; wrong ones are answered', async () => {
  await ask('PUT', '/queues/pieces', {});
  const stream = openStream('pieces');
  const results = resultsOf(stream);
  const text =
    '{"payload":"é"}\r\n\n  \n{"payload":1,"ttl":"x"}\n[1\n{"payload":{"__proto__":1}}\n{"payload":2}';
  for (const byte of Buffer.from(text)) {
    stream.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  stream.end();
  assert.deepEqual(
    (await results).map((result) => result.error?.code ?? result.ok),
    [true, 'VALIDATION', 'INVALID_JSON', 'INVALID_JSON', true],
  );
  const { body } = await ask('GET', '/queues/pieces/messages');
  assert.deepEqual(
    body.messages.map((message: { payload: unknown }) => message.payload),
    ['é', 2],
  );
});

test('with an Idempotency-Key a stream can be sent again', async () => {
  await ask('PUT', '/queues/twice', {});
  for (const duplicate of [false, true]) {
    const stream = openStream('twice', { 'idempotency-key': 'import-7' });
    const results = resultsOf(stream);
    stream.end('{"payload":1}\n{"payload":2}\n');
    assert.deepEqual(
      (await results).map((result) => result.duplicate),
      [duplicate, duplicate],
    );
  }
  assert.equal((await ask('GET', '/queues/twice')).body.ready, 2);
});

test('answers come while the stream goes on', async () => {
  await ask('PUT', '/queues/live', {});
  const stream = openStream('live');
  stream.write('{"payload":1}\n');
  const response = await answerOf(stream);
  const [chunk] = (await once(response, 'data')) as [Buffer];
  assert.equal((JSON.parse(chunk.toString()) as { ok: boolean }).ok, true);
  stream.end();
  await once(response, 'end');
});

test('a line that does not end is refused at the limit of a body', async () => {
  await ask('PUT', '/queues/endless', {});
  const stream = openStream('endless');
  stream.on('error', () => {});
  const results = resultsOf(stream);
  stream.write(`{"payload":1}\n{"payload":"${'x'.repeat(150_000)}`);
  const answers = await results;
  assert.deepEqual(
    answers.map((answer) => answer.error?.code),
    [undefined, 'PAYLOAD_TOO_LARGE'],
  );
});

test('a stream in which nothing moves is ended', async () => {
  await ask('PUT', '/queues/still', {});
  const stream = openStream('still');
  stream.write('{"payload":1}\n');
  const began = performance.now();
  const response = await answerOf(stream);
  response.on('error', () => {}).resume();
  stream.on('error', () => {});
  await new Promise((resolve) => response.once('close', resolve));
  const took = performance.now() - began;
  assert.ok(took > 300 && took < 3_000, `it took ${Math.round(took)} ms`);
  assert.equal((await ask('GET', '/queues/still')).body.ready, 1);
});

test('other media types and other queues are refused', async () => {
  await ask('PUT', '/queues/typed', {});
  for (const type of ['application/json', 'text/plain']) {
    const { status } = await ask('POST', '/queues/typed/messages/stream', {
      body: '{}',
      headers: { 'content-type': type },
    });
    assert.equal(status, 415, type);
  }
  const headers = { 'content-type': 'application/x-ndjson' };
  const nowhere = await ask('POST', '/queues/nowhere/messages/stream', { body: '', headers });
  assert.equal(nowhere.status, 404);
});
