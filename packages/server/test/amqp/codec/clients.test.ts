/** Real clients against a server that is nothing but the codec. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { AMQPClient, type AMQPMessage } from '@cloudamqp/amqp-client';
import { connect, type ConsumeMessage } from 'amqplib';
import { type AsyncMessage, Connection } from 'rabbitmq-client';
import type { MethodName } from '../../../src/protocols/amqp/method-table.ts';
import type { Method } from '../../../src/protocols/amqp/methods.ts';
import { decodeProperties } from '../../../src/protocols/amqp/properties.ts';
import { parsePlain } from '../../../src/protocols/amqp/sasl.ts';
import { plainTable } from '../../../src/protocols/amqp/table.ts';
import { type RecordingServer, startRecordingServer } from './recording-server.ts';

/** More than two frames of what the server agrees to. */
const BODY = Buffer.alloc(20_000, 'wherry');

const timeout = { timeout: 20_000 };

let server: RecordingServer;

before(async () => {
  server = await startRecordingServer();
});

after(() => server.close());

function lastOf<N extends MethodName>(name: N): Extract<Method, { name: N }> {
  const found = server.recorded.findLast(({ method }) => method?.name === name);
  assert.ok(found, name);
  return found.method as Extract<Method, { name: N }>;
}

function lastProperties(): ReturnType<typeof decodeProperties> {
  return decodeProperties(server.recorded.findLast(({ properties }) => properties)!.properties!);
}

test('amqplib', timeout, async (t) => {
  const connection = await connect(`amqp://guest:secret@127.0.0.1:${server.port}/v%2Fhost`);
  t.after(() => connection.close());
  assert.deepEqual(parsePlain(lastOf('connection.start-ok').args.response), {
    user: 'guest',
    password: 'secret',
  });
  assert.equal(lastOf('connection.open').args.virtualHost, 'v/host');

  const channel = await connection.createConfirmChannel();
  const declared = await channel.assertQueue('orders', {
    durable: true,
    arguments: { 'x-dead-letter-exchange': 'dead', nested: { list: [1, 'a', { b: null }] } },
    messageTtl: 60_000,
    maxPriority: 9,
  });
  assert.deepEqual(declared, { queue: 'orders', messageCount: 7, consumerCount: 0 });
  const { args } = lastOf('queue.declare');
  assert.deepEqual([args.durable, args.exclusive, args.nowait], [true, false, false]);
  assert.deepEqual(JSON.parse(JSON.stringify(plainTable(args.arguments))), {
    nested: { list: [1, 'a', { b: null }] },
    'x-dead-letter-exchange': 'dead',
    'x-message-ttl': 60_000,
    'x-max-priority': 9,
  });

  const arrived = new Promise<ConsumeMessage>((resolve, reject) => {
    const consumed = channel.consume('orders', (message) => resolve(message!), {
      consumerTag: 'mine',
    });
    consumed.catch(reject);
  });
  const headers = {
    text: 'é',
    number: -1,
    long: 2 ** 40,
    half: 0.5,
    yes: true,
    none: null,
    bytes: Buffer.from([0, 255]),
    list: [1, [2]],
    inner: {
      when: { '!': 'timestamp', value: 5 },
      price: { '!': 'decimal', value: { places: 2, digits: 199 } },
    },
  };
  channel.publish('amq.topic', 'a.b', BODY, {
    headers,
    persistent: true,
    contentType: 'text/plain',
    contentEncoding: 'utf8',
    priority: 5,
    correlationId: 'c',
    replyTo: 'r',
    expiration: 1_000,
    messageId: 'm',
    timestamp: 1_700_000_000,
    type: 't',
    userId: 'guest',
    appId: 'app',
  });
  await channel.waitForConfirms();
  const { content, fields, properties } = await arrived;
  assert.ok(content.equals(BODY));
  assert.deepEqual(fields, {
    consumerTag: 'mine',
    deliveryTag: 1,
    redelivered: true,
    exchange: 'amq.topic',
    routingKey: 'a.b',
  });
  assert.deepEqual(properties.headers, { ...headers, bytes: headers.bytes });
  assert.equal(properties.expiration, '1000');
  const { headers: sent, ...rest } = lastProperties();
  assert.equal(sent?.size, 9);
  assert.deepEqual(rest, {
    contentType: 'text/plain',
    contentEncoding: 'utf8',
    deliveryMode: 2,
    priority: 5,
    correlationId: 'c',
    replyTo: 'r',
    expiration: '1000',
    messageId: 'm',
    timestamp: 1_700_000_000,
    type: 't',
    userId: 'guest',
    appId: 'app',
  });
  channel.ack({ content, fields, properties }, true);
  await channel.close();
  assert.deepEqual(lastOf('basic.ack').args, { deliveryTag: 1, multiple: true });
  assert.deepEqual(server.failures, []);
});

test('rabbitmq-client', timeout, async (t) => {
  const connection = new Connection({ hostname: '127.0.0.1', port: server.port });
  const publisher = connection.createPublisher({ confirm: true });
  let arrive: (message: AsyncMessage) => void;
  const arrived = new Promise<AsyncMessage>((resolve) => (arrive = resolve));
  const options = { queue: 'orders', qos: { prefetchCount: 3 } };
  const consumer = connection.createConsumer(options, (message) => arrive(message));
  // In this order: the connection waits until its channels are closed.
  t.after(async () => {
    await publisher.close();
    await consumer.close();
    await connection.close();
  });
  await once(consumer, 'ready');
  await publisher.send({ routingKey: 'orders', headers: { a: [1, { b: 'c' }] } }, { x: 1 });
  const { body, headers, routingKey } = await arrived;
  assert.deepEqual([body, headers, routingKey], [{ x: 1 }, { a: [1, { b: 'c' }] }, 'orders']);
  assert.equal(lastOf('basic.qos').args.prefetchCount, 3);
  assert.equal(lastProperties().contentType, 'application/json');
  assert.deepEqual(server.failures, []);
});

test('amqp-client.js', timeout, async (t) => {
  const client = new AMQPClient(`amqp://127.0.0.1:${server.port}`);
  const connection = await client.connect();
  t.after(() => connection.close());
  const channel = await connection.channel();
  await channel.queueDeclare('orders', { durable: true }, { 'x-max-length': 10 });
  let arrive: (message: AMQPMessage) => void;
  const arrived = new Promise<AMQPMessage>((resolve) => (arrive = resolve));
  await channel.basicConsume('orders', { noAck: false }, (message) => arrive(message));
  const headers = { a: 1, b: { c: [true] } };
  await channel.basicPublish('', 'orders', BODY, { headers, deliveryMode: 2 });
  const message = await arrived;
  assert.equal(message.bodyString(), BODY.toString());
  assert.deepEqual(message.properties.headers, headers);
  assert.equal(lastOf('queue.declare').args.arguments.size, 1);
  assert.deepEqual(server.failures, []);
});
