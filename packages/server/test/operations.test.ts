import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { type TextMapPropagator, context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { startRedis } from '../../wherry/test/servers/redis.ts';
import { startBroker } from './broker.ts';
import { sendHalf } from './half-request.ts';
import { parseMetrics } from './telemetry/prometheus.ts';

async function untilMetric(url: string, name: string, value: number): Promise<void> {
  const deadline = Date.now() + 5_000;
  for (let is: number | undefined; is !== value;) {
    assert.ok(Date.now() < deadline, `${name} is ${is}`);
    const families = parseMetrics(await (await fetch(`${url}/metrics`)).text());
    is = families.get(name)!.samples[0]!.value;
  }
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.status;
}

test('readiness follows the store, health does not', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const broker = await startBroker({ store: redis.url });
  t.after(() => broker.close({ deadline: 0 }));
  assert.deepEqual(
    [await statusOf(`${broker.url}/readyz`), await statusOf(`${broker.url}/healthz`)],
    [200, 200],
  );
  redis.pause();
  const asked = Date.now();
  assert.equal(await statusOf(`${broker.url}/readyz`), 503);
  t.diagnostic(`a store that hangs is told after ${Date.now() - asked} ms`);
  assert.ok(Date.now() - asked < 5_000);
  assert.equal(await statusOf(`${broker.url}/healthz`), 200);
  redis.continue();
  const deadline = Date.now() + 10_000;
  while ((await statusOf(`${broker.url}/readyz`)) !== 200) assert.ok(Date.now() < deadline);
});

test('a closing broker answers receives that wait, and finishes what has begun', async (t) => {
  const broker = await startBroker({ queues: [{ name: 'orders' }] });
  t.after(() => broker.close());
  const waiting = fetch(`${broker.url}/api/v1/queues/orders/receive`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"wait": "50s"}',
  });
  await untilMetric(broker.url, 'wherry_http_long_polls', 1);
  const asked = Date.now();
  await broker.close();
  const response = await waiting;
  assert.deepEqual([response.status, await response.json()], [200, { messages: [] }]);
  t.diagnostic(`closed in ${Date.now() - asked} ms`);
  assert.ok(Date.now() - asked < 5_000);
  await assert.rejects(fetch(`${broker.url}/healthz`));
});

test('what does not end by the deadline is cut', async (t) => {
  const broker = await startBroker({ queues: [{ name: 'orders' }] });
  t.after(() => broker.close());
  const socket = await sendHalf(`${broker.url}/api/v1/queues/orders/messages`);
  t.after(() => socket.destroy());
  const cut = once(socket, 'close');
  // What holds the bytes of a body is being worked on.
  await untilMetric(broker.url, 'wherry_http_bytes_in_flight', 100);
  const asked = Date.now();
  await broker.close({ deadline: 300 });
  const took = Date.now() - asked;
  t.diagnostic(`closed in ${took} ms`);
  assert.ok(took >= 290 && took < 5_000, `${took} ms`);
  await cut;
});

test('a store that hangs does not keep a broker from closing', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const broker = await startBroker({ store: redis.url, queues: [{ name: 'orders' }] });
  redis.pause();
  const hung = fetch(`${broker.url}/api/v1/queues/orders/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"payload": 1}',
  });
  const cut = assert.rejects(hung);
  const asked = Date.now();
  await assert.rejects(broker.close({ deadline: 200 }), { code: 'TIMEOUT' });
  t.diagnostic(`given up after ${Date.now() - asked} ms`);
  assert.ok(Date.now() - asked < 5_000);
  await cut;
  redis.continue();
});

test("a request's trace goes on in the broker, and from there into the message", async (t) => {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(provider);
  propagation.setGlobalPropagator(traceparentOnly);
  t.after(() => provider.shutdown());

  const broker = await startBroker({ tracing: true, queues: [{ name: 'orders' }] });
  t.after(() => broker.close());
  exporter.reset();
  const traceId = 'a'.repeat(32);
  const send = await fetch(`${broker.url}/api/v1/queues/orders/messages`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      traceparent: `00-${traceId}-${'b'.repeat(16)}-01`,
    },
    body: '{"payload": 1}',
  });
  assert.equal(send.status, 201);
  await send.body?.cancel();
  await statusOf(`${broker.url}/api/v1/queues/nowhere`);

  const [sent, request, failed] = exporter.getFinishedSpans();
  assert.equal(request!.name, 'POST /api/v1/queues/:queue/messages');
  assert.equal(request!.parentSpanContext!.spanId, 'b'.repeat(16));
  assert.equal(request!.attributes['http.response.status_code'], 201);
  assert.equal(sent!.name, 'send orders');
  assert.equal(sent!.parentSpanContext!.spanId, request!.spanContext().spanId);
  assert.equal(failed!.attributes['error.type'], 'QUEUE_NOT_FOUND');
  assert.equal(failed!.attributes['http.response.status_code'], 404);

  const receive = await fetch(`${broker.url}/api/v1/queues/orders/receive`, { method: 'POST' });
  const { messages } = (await receive.json()) as { messages: { headers: object }[] };
  const { spanId } = sent!.spanContext();
  assert.deepEqual(messages[0]!.headers, { traceparent: `00-${traceId}-${spanId}-01` });
});

/** As an SDK registers it, which is not installed here. */
const traceparentOnly: TextMapPropagator = {
  fields: () => ['traceparent'],
  inject: () => {},
  extract: (into, carrier, getter) => {
    const [, traceId, spanId] = String(getter.get(carrier, 'traceparent')).split('-');
    if (traceId === undefined || spanId === undefined) return into;
    return trace.setSpanContext(into, { traceId, spanId, traceFlags: 1, isRemote: true });
  },
};
