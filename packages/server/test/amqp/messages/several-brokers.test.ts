/** Clients at different brokers of one store: queues are the same, and so are replies. */
import { strict as assert } from 'node:assert';
import { EventEmitter, once } from 'node:events';
import { after, before, test } from 'node:test';
import { type ChannelModel, type ConsumeMessage, connect } from 'amqplib';
import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from '../../../../wherry/test/servers/redis.ts';
import type { Broker } from '../../../src/index.ts';
import { startBroker } from '../../broker.ts';
import { until } from '../../http/client.ts';

let redis: RedisServer;
let brokers: Broker[] = [];

before(async () => {
  redis = await startRedis();
  const start = (): Promise<Broker> => startBroker({ store: redis.url, amqp: { port: 0 } });
  brokers = [await start(), await start()];
});
after(async () => {
  await Promise.all(brokers.map((broker) => broker.close()));
  await redis.stop();
});

async function open(
  t: { after: (done: () => Promise<void>) => void },
  broker: number,
): Promise<ChannelModel> {
  const connection = await connect(`amqp://127.0.0.1:${brokers[broker]!.amqpPort}`);
  connection.on('error', () => {});
  t.after(async () => connection.close().catch(() => {}));
  return connection;
}

test('a reply finds its way from one broker to a client at another', async (t) => {
  const server = await (await open(t, 0)).createChannel();
  const client = await (await open(t, 1)).createChannel();
  const queue = 'questions';
  await server.assertQueue(queue);
  await server.consume(queue, (message) => {
    const { correlationId, replyTo } = message!.properties as unknown as Record<string, string>;
    server.sendToQueue(replyTo!, Buffer.from('answer'), { correlationId, type: 'kind' });
    server.ack(message!);
  });
  const answered = new Promise<ConsumeMessage>((resolve) => {
    void client.consume('amq.rabbitmq.reply-to', (message) => resolve(message!), { noAck: true });
  });
  const replyTo = 'amq.rabbitmq.reply-to';
  client.sendToQueue(queue, Buffer.from('question'), { replyTo, correlationId: '1' });
  const { content, fields, properties } = await answered;
  assert.equal(content.toString(), 'answer');
  assert.equal(properties.correlationId, '1');
  assert.equal(properties.type, 'kind');
  assert.match(fields.routingKey, /^amq\.rabbitmq\.reply-to\./);
});

test('no client may consume what is for a broker itself', async (t) => {
  const connection = await open(t, 0);
  const replies = await connection.createChannel();
  await replies.consume('amq.rabbitmq.reply-to', () => {}, { noAck: true });
  const names = await mailboxes();
  assert.ok(names.length > 0);
  for (const name of names) {
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    await assert.rejects(
      channel.consume(name, () => {}),
      /405 \(RESOURCE-LOCKED\)/,
    );
  }
});

async function mailboxes(): Promise<string[]> {
  const response = await fetch(`${brokers[0]!.url}/api/v1/queues`);
  const { queues } = (await response.json()) as { queues: { name: string }[] };
  return queues.map(({ name }) => name).filter((name) => name.startsWith('amq.rabbitmq.reply-to.'));
}

test('consumers at both share a queue; what one leaves, the other gets as redelivered', async (t) => {
  const connections = [await open(t, 0), await open(t, 1)];
  const publisher = await connections[0]!.createConfirmChannel();
  const queue = 'shared';
  await publisher.assertQueue(queue, { durable: true });
  const got: [number, number, boolean][] = [];
  const changed = new EventEmitter();
  const numbersAt = (broker: number): Set<number> =>
    new Set(got.filter(([by]) => by === broker).map(([, number]) => number));
  const untilAt = async (broker: number, count: number): Promise<void> => {
    while (numbersAt(broker).size < count) await once(changed, 'changed');
  };
  const channels = [];
  for (const [at, connection] of connections.entries()) {
    const channel = await connection.createChannel();
    channels.push(channel);
    await channel.prefetch(10);
    await channel.consume(queue, (message) => {
      const number = Number(message!.content.toString());
      got.push([at, number, message!.fields.redelivered]);
      // The first keeps what it has, until it goes.
      if (at === 1) channel.ack(message!);
      changed.emit('changed');
    });
  }
  for (let i = 0; i < 100; i++) publisher.sendToQueue(queue, Buffer.from(String(i)));
  await publisher.waitForConfirms();
  await untilAt(0, 10);
  await channels[0]!.close();
  await untilAt(1, 100);
  const kept = numbersAt(0);
  for (const [by, number, redelivered] of got) {
    if (by === 1) assert.equal(redelivered, kept.has(number), `message ${number}`);
  }
});

test('what one broker has declared is there at every other', async (t) => {
  const first = await (await open(t, 0)).createChannel();
  const second = await (await open(t, 1)).createConfirmChannel();
  for (let i = 0; i < 10; i++) {
    const name = `late-${i}`;
    await first.assertExchange(name, 'fanout');
    await first.assertQueue(name);
    const { consumerTag } = await second.consume(name, () => {});
    await second.cancel(consumerTag);
    second.publish(name, '', Buffer.from('x'));
    await second.waitForConfirms();
  }
  const missing = await (await open(t, 1)).createChannel();
  missing.on('error', () => {});
  await assert.rejects(
    missing.consume('never', () => {}),
    /404 \(NOT-FOUND\)/,
  );
});

test('a reply that the store does not take at once arrives later, once', async (t) => {
  const server = await (await open(t, 0)).createChannel();
  const client = await (await open(t, 1)).createChannel();
  const replyTo = 'amq.rabbitmq.reply-to';
  const replies: string[] = [];
  const changed = new EventEmitter();
  await client.consume(
    replyTo,
    (message) => {
      replies.push(message!.content.toString());
      changed.emit('changed');
    },
    { noAck: true },
  );
  await server.assertQueue('slow');
  client.sendToQueue('slow', Buffer.from('question'), { replyTo });
  let question = await server.get('slow', { noAck: true });
  while (question === false) question = await server.get('slow', { noAck: true });
  const to = String(question.properties.replyTo);

  const admin = new Redis(redis.url);
  t.after(() => admin.disconnect());
  await admin.config('SET', 'maxmemory', '1mb');
  const refused = await fetch(`${brokers[1]!.url}/api/v1/queues/slow/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"payload": 1}',
  });
  assert.equal(refused.status, 503, 'there is no room');
  const refusals = async (): Promise<number> =>
    Number(/errorstat_OOM:count=(\d+)/.exec(await admin.info('errorstats'))?.[1] ?? 0);
  const earlier = await refusals();
  server.sendToQueue(to, Buffer.from('answer'));
  await until(async () => (await refusals()) > earlier);
  assert.deepEqual(replies, []);
  await admin.config('SET', 'maxmemory', '0');
  const signal = AbortSignal.timeout(20_000);
  while (replies.length === 0) await once(changed, 'changed', { signal });
  server.sendToQueue(to, Buffer.from('another'));
  while (replies.length === 1) await once(changed, 'changed', { signal });
  assert.deepEqual(replies, ['answer', 'another']);
});
