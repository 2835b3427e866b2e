import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { type Channel, type ChannelModel, type ConsumeMessage, connect } from 'amqplib';
import type { Broker } from '../../../src/index.ts';
import { startBroker } from '../../broker.ts';

let broker: Broker;

before(async () => {
  broker = await startBroker({ amqp: { port: 0 } });
});
after(() => broker.close());

let names = 0;
const nextName = (): string => `amqplib-${++names}`;

async function open(t: { after: (done: () => Promise<void>) => void }): Promise<ChannelModel> {
  const connection = await connect(`amqp://127.0.0.1:${broker.amqpPort}`);
  connection.on('error', () => {});
  t.after(async () => connection.close().catch(() => {}));
  return connection;
}

/** Collects deliveries, and waits until there are so many. */
function inbox(): {
  readonly messages: ConsumeMessage[];
  readonly take: (message: ConsumeMessage | null) => void;
  readonly until: (count: number) => Promise<void>;
} {
  const messages: ConsumeMessage[] = [];
  let wanted: { count: number; resolve: () => void } | null = null;
  return {
    messages,
    take: (message) => {
      messages.push(message!);
      if (wanted !== null && messages.length >= wanted.count) wanted.resolve();
    },
    until: (count) =>
      new Promise((resolve) => {
        wanted = { count, resolve };
        if (messages.length >= count) resolve();
      }),
  };
}

const texts = (messages: readonly ConsumeMessage[]): string[] =>
  messages.map(({ content }) => content.toString());

test('what is confirmed is consumed in order, and gone when it is acknowledged', async (t) => {
  const connection = await open(t);
  const publisher = await connection.createConfirmChannel();
  const queue = nextName();
  await publisher.assertQueue(queue, { durable: true });
  const sent = Array.from({ length: 2_000 }, (_, i) => String(i));
  for (const text of sent) publisher.sendToQueue(queue, Buffer.from(text), { persistent: true });
  await publisher.waitForConfirms();
  const consumer = await connection.createChannel();
  await consumer.prefetch(100);
  const { messages, take, until } = inbox();
  await consumer.consume(queue, (message) => {
    consumer.ack(message!);
    take(message);
  });
  await until(sent.length);
  assert.deepEqual(texts(messages), sent);
  await consumer.close();
  assert.equal((await publisher.checkQueue(queue)).messageCount, 0);
});

test('what a client had in hand when its socket broke comes again as redelivered', async (t) => {
  const connection = await open(t);
  const channel = await connection.createConfirmChannel();
  const queue = nextName();
  await channel.assertQueue(queue);
  for (const text of ['a', 'b']) channel.sendToQueue(queue, Buffer.from(text));
  await channel.waitForConfirms();
  const doomed = await open(t);
  const first = inbox();
  const theirs = await doomed.createChannel();
  await theirs.consume(queue, first.take);
  await first.until(2);
  const { stream } = doomed.connection as unknown as { stream: Socket };
  stream.destroy(new Error('cut'));
  const second = inbox();
  await channel.consume(queue, second.take);
  await second.until(2);
  assert.deepEqual(texts(second.messages), ['a', 'b']);
  assert.deepEqual(
    second.messages.map(({ fields }) => fields.redelivered),
    [true, true],
  );
});

test('a consumer is told that its queue was deleted', async (t) => {
  const connection = await open(t);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const { messages, take, until } = inbox();
  await channel.consume(queue, take);
  await channel.deleteQueue(queue);
  await until(1);
  assert.equal(messages[0], null);
});

test('an unroutable mandatory message comes back', async (t) => {
  const connection = await open(t);
  const channel = await connection.createConfirmChannel();
  const returned = once(channel, 'return');
  channel.publish('amq.direct', 'nobody', Buffer.from('x'), { mandatory: true, type: 'kind' });
  await channel.waitForConfirms();
  const [message] = (await returned) as [ConsumeMessage];
  assert.equal(message.content.toString(), 'x');
  assert.equal(message.properties.type, 'kind');
});

test('a dead letter says where it came from', async (t) => {
  const connection = await open(t);
  const channel = await connection.createChannel();
  const [queue, dead, exchange] = [nextName(), nextName(), nextName()];
  await channel.assertExchange(exchange, 'fanout');
  await channel.assertQueue(dead);
  await channel.bindQueue(dead, exchange, '');
  await channel.assertQueue(queue, { deadLetterExchange: exchange, messageTtl: 20 });
  const { messages, take, until } = inbox();
  await channel.consume(dead, take, { noAck: true });
  channel.sendToQueue(queue, Buffer.from('late'), { headers: { mine: true } });
  await until(1);
  const { fields, properties } = messages[0]!;
  assert.equal(fields.exchange, exchange);
  assert.equal(fields.routingKey, queue);
  assert.equal(properties.headers?.['mine'], true);
  assert.equal(properties.headers?.['x-first-death-reason'], 'expired');
  const deaths = properties.headers?.['x-death'] as unknown as { queue: string; count: number }[];
  assert.deepEqual(
    deaths.map((death) => [death.queue, death.count]),
    [[queue, 1]],
  );
});

test('a call over direct reply-to', async (t) => {
  const connection = await open(t);
  const [client, server] = [await connection.createChannel(), await connection.createChannel()];
  const queue = nextName();
  await server.assertQueue(queue);
  await server.consume(queue, (message) => {
    const { correlationId, replyTo } = message!.properties as unknown as Record<string, string>;
    server.sendToQueue(replyTo!, Buffer.from(`${message!.content.toString()}!`), { correlationId });
    server.ack(message!);
  });
  const { messages, take, until } = inbox();
  await client.consume('amq.rabbitmq.reply-to', take, { noAck: true });
  for (let i = 0; i < 50; i++) {
    client.sendToQueue(queue, Buffer.from(String(i)), {
      replyTo: 'amq.rabbitmq.reply-to',
      correlationId: String(i),
    });
  }
  await until(50);
  const answers = messages.map(({ content, properties }) => [
    properties.correlationId as string,
    content.toString(),
  ]);
  assert.deepEqual(
    answers,
    Array.from({ length: 50 }, (_, i) => [String(i), `${i}!`]),
  );
});

async function closedWith(channel: Channel, act: () => unknown): Promise<string> {
  const failed = once(channel, 'error');
  act();
  return ((await failed) as [Error])[0].message;
}

test('a mistake closes the channel, gives its messages back, and leaves the connection', async (t) => {
  const connection = await open(t);
  const channel = await connection.createChannel();
  const other = await connection.createChannel();
  const queue = nextName();
  await channel.assertQueue(queue);
  channel.sendToQueue(queue, Buffer.from('kept'));
  const mine = inbox();
  await channel.consume(queue, mine.take);
  await mine.until(1);
  const message = await closedWith(channel, () =>
    channel.ack({ fields: { deliveryTag: 99 } } as ConsumeMessage),
  );
  assert.match(message, /406 .*PRECONDITION_FAILED - unknown delivery tag 99/);
  const theirs = inbox();
  await other.consume(queue, theirs.take);
  await theirs.until(1);
  assert.equal(theirs.messages[0]!.fields.redelivered, true);
});
