import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { type Message, MessageQueueSystem, ValidationError } from '../../src/index.ts';
import { startRedis } from '../servers/redis.ts';
import { type RecordedSpan, TraceRecorder } from './trace-recorder.ts';

const HANDLER = fileURLToPath(new URL('./trace-handler.ts', import.meta.url));
const recorder = new TraceRecorder();
const telemetry = { tracerProvider: recorder.provider };

async function openTraced(): Promise<MessageQueueSystem> {
  const mq = await MessageQueueSystem.open({ telemetry, queues: [{ name: 'orders' }] });
  recorder.take();
  return mq;
}

test('a trace leads from the sender in one process to the handler in another', async (t) => {
  const server = await startRedis();
  t.after(() => server.stop());
  await using mq = await MessageQueueSystem.open({
    storage: server.url,
    telemetry,
    queues: [{ name: 'orders', backoff: '1ms' }],
  });
  recorder.take();
  const message = { payload: 1, correlationId: 'order-1', headers: { tenant: 'a' } };
  const id = await mq.sendMessage('orders', message);
  const sent = recorder.take();
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['--import', 'tsx', HANDLER, server.url]);
  const handled = JSON.parse(stdout) as RecordedSpan[];

  const [send] = sent;
  assert.deepEqual(
    sent.map(({ name, kind, status }) => [name, kind, status]),
    [['send orders', SpanKind.PRODUCER, SpanStatusCode.UNSET]],
  );
  assert.deepEqual(send!.attributes, {
    'messaging.system': 'wherry',
    'messaging.operation.name': 'send',
    'messaging.operation.type': 'send',
    'messaging.destination.name': 'orders',
    'messaging.message.id': id,
    'messaging.message.conversation_id': 'order-1',
  });

  const [failed, charge, processed] = handled;
  assert.deepEqual(
    handled.map(({ name, kind, status }) => [name, kind, status]),
    [
      ['process orders', SpanKind.CONSUMER, SpanStatusCode.ERROR],
      ['charge', SpanKind.INTERNAL, SpanStatusCode.UNSET],
      ['process orders', SpanKind.CONSUMER, SpanStatusCode.UNSET],
    ],
  );
  for (const span of handled) assert.equal(span.traceId, send!.traceId);
  for (const span of [failed!, processed!]) {
    assert.equal(span.parentSpanId, send!.spanId);
    assert.deepEqual(span.links, [send!.spanId]);
  }
  assert.equal(charge!.parentSpanId, processed!.spanId, 'the handler runs within its span');
  assert.equal(failed!.attributes['error.type'], 'RangeError');
  assert.deepEqual(processed!.attributes, {
    'messaging.system': 'wherry',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': 'orders',
    'messaging.client.id': 'worker',
    'messaging.message.id': id,
    'messaging.message.conversation_id': 'order-1',
    'wherry.delivery_count': 2,
    seen: 'by the handler',
  });
});

test('the headers are those of W3C Trace Context, beside those that the sender gave', async () => {
  await using mq = await openTraced();
  const id = await mq.sendMessage('orders', { payload: 1, headers: { tenant: 'a' } });
  const [send] = recorder.take();
  const stored = await mq.getMessage(id);
  const traceparent = `00-${send!.traceId}-${send!.spanId}-01`;
  assert.deepEqual(stored!.message.headers, { tenant: 'a', traceparent });
});

test("a sender without a span goes on with the trace in the message's own headers", async () => {
  await using mq = await openTraced();
  const traceId = 'a'.repeat(32);
  const headers = { traceparent: `00-${traceId}-${'b'.repeat(16)}-01`, tracestate: 'vendor=x' };
  const id = await mq.sendMessage('orders', { payload: 1, headers });
  const [send] = recorder.take();
  assert.deepEqual([send!.traceId, send!.parentSpanId], [traceId, 'b'.repeat(16)]);
  const stored = await mq.getMessage(id);
  assert.equal(stored!.message.headers!['tracestate'], 'vendor=x');
});

test('headers that are no trace context begin a trace of their own', async () => {
  await using mq = await openTraced();
  const zeros = `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`;
  const late = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01-more`;
  for (const traceparent of [
    '',
    'x',
    5,
    null,
    zeros,
    late,
    `ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  ]) {
    await mq.sendMessage('orders', { payload: 1, headers: { traceparent } });
    const [send] = recorder.take();
    assert.equal(send!.parentSpanId, null, String(traceparent));
  }
});

test('a batch is one send; its handler links to the sender of each message', async () => {
  await using mq = await openTraced();
  await mq.sendBatch('orders', [{ payload: 1 }, { payload: 2 }]);
  await mq.sendMessage('orders', { payload: 3 });
  await new Promise<void>((resolve, reject) => {
    const batchHandler = (): void => resolve();
    mq.createConsumer({ id: 'worker', queueName: 'orders', batchHandler }).catch(reject);
  });
  await mq.close();
  const spans = recorder.take();
  const [batch, single, processed] = spans;
  assert.equal(spans.length, 3);
  assert.equal(batch!.attributes['messaging.batch.message_count'], 2);
  assert.equal(processed!.parentSpanId, null);
  assert.deepEqual(processed!.links, [batch!.spanId, batch!.spanId, single!.spanId]);
  assert.equal(processed!.attributes['messaging.batch.message_count'], 3);
});

test('publishes through an exchange are sends to it, refusals are errors', async () => {
  await using mq = await openTraced();
  await mq.createExchange({ name: 'shop', type: 'topic' });
  await mq.bind({ exchange: 'shop', queue: 'orders', routingKey: '#' });
  await mq.createQueue({ name: 'small', maxSize: 1 });
  await mq.publish('shop', 'order.new', { payload: 1 });
  await mq.publishBatch([{ exchange: '', routingKey: 'orders', message: { payload: 2 } }]);
  await mq.sendBatch('small', [{ payload: 1 }, { payload: 2 }]);
  await assert.rejects(mq.sendMessage('nowhere', { payload: 1 }), { code: 'QUEUE_NOT_FOUND' });
  const spans = recorder.take();
  assert.deepEqual(
    spans.map(({ name, status, attributes }) => [name, status, attributes['error.type']]),
    [
      ['send shop', SpanStatusCode.UNSET, undefined],
      ['send orders', SpanStatusCode.UNSET, undefined],
      ['send small', SpanStatusCode.ERROR, 'QUEUE_FULL'],
      ['send nowhere', SpanStatusCode.ERROR, 'QUEUE_NOT_FOUND'],
    ],
  );
  assert.equal(spans[0]!.attributes['wherry.routing_key'], 'order.new');
});

test('no send fails because it is traced', async () => {
  await using mq = await openTraced();
  const full = Object.fromEntries(
    Array.from({ length: mq.limits.headerCount }, (_, i) => [`header-${i}`, 'x']),
  );
  const id = await mq.sendMessage('orders', { payload: 1, headers: full });
  assert.deepEqual((await mq.getMessage(id))!.message.headers, full);
  // What is no message is refused as ever.
  for (const wrong of [null, 5, { payload: 1, headers: 5 }]) {
    await assert.rejects(mq.sendMessage('orders', wrong as unknown as Message), ValidationError);
  }
  await assert.rejects(mq.sendBatch('orders', 5 as never), ValidationError);
});

test('without telemetry nothing is added', async () => {
  await using mq = await MessageQueueSystem.open({ queues: [{ name: 'orders' }] });
  recorder.take();
  const id = await mq.sendMessage('orders', { payload: 1 });
  assert.equal((await mq.getMessage(id))!.message.headers, undefined);
  assert.deepEqual(recorder.take(), []);
});

test('telemetry is a boolean or options', async () => {
  for (const wrong of ['yes', 1, null, { provider: 1 }]) {
    const opening = MessageQueueSystem.open({ telemetry: wrong as never });
    await assert.rejects(opening, ValidationError);
  }
  // The provider of a process that has registered none: nothing is recorded, and nothing is sent.
  await using mq = await MessageQueueSystem.open({ telemetry: true, queues: [{ name: 'orders' }] });
  const id = await mq.sendMessage('orders', { payload: 1 });
  assert.equal((await mq.getMessage(id))!.message.headers?.['traceparent'], undefined);
});

after(() => recorder.provider.shutdown());
