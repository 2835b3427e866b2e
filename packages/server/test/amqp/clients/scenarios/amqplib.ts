/** amqplib, by far the most used client of JavaScript; from 2.3 on it recovers by itself, if asked. */
import { once } from 'node:events';
import amqp, {
  type Channel,
  type ConfirmChannel,
  type ConsumeMessage,
  type Message,
} from 'amqplib';
import { brokerUrl, deaths, eventually, Inbox, play, restartBroker, say } from './transcript.ts';

const url = brokerUrl();
const text = (message: Message | false): string | false => message && message.content.toString();

const connection = await amqp.connect(url);
const channel = await connection.createConfirmChannel();

const send = async (
  exchange: string,
  key: string,
  body: string,
  options: amqp.Options.Publish = {},
): Promise<string> =>
  new Promise((resolve) => {
    channel.publish(exchange, key, Buffer.from(body), { persistent: true, ...options }, (error) =>
      resolve(error === null ? 'ack' : 'nack'),
    );
  });

/** Does something on a channel of its own. @returns the error that closes the channel */
async function refused(act: (on: Channel) => Promise<unknown> | void): Promise<object> {
  const victim = await connection.createChannel();
  const failed = once(victim, 'error') as Promise<[Error & { code: number }]>;
  void Promise.resolve(act(victim)).catch(() => {});
  const [{ code, message }] = await failed;
  return { code, message };
}

async function topology(): Promise<void> {
  const { product } = connection.connection.serverProperties;
  say('connected', { product: typeof product });
  await channel.assertExchange('amqplib.events', 'topic', { durable: true });
  await channel.assertExchange('amqplib.all', 'fanout', { durable: true });
  say('declare', await channel.assertQueue('amqplib.orders', { durable: true }));
  await channel.bindQueue('amqplib.orders', 'amqplib.events', 'order.#');
  await channel.bindExchange('amqplib.events', 'amqplib.all', '');
  say('declare again', await channel.assertQueue('amqplib.orders', { durable: true }));
  const { queue } = await channel.assertQueue('', { exclusive: true });
  say('server-named', { prefix: queue.slice(0, 8), length: queue.length });
  say('delete', await channel.deleteQueue(queue));
}

async function publishAndGet(): Promise<void> {
  const properties = {
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    headers: { n: 1, big: 2 ** 40, half: 0.5, yes: true, list: [1, 'two'], inner: { a: null } },
    priority: 3,
    correlationId: 'c-1',
    replyTo: 'somewhere',
    messageId: 'm-1',
    timestamp: 1_700_000_000,
    type: 'order',
    userId: 'guest',
    appId: 'shop',
  };
  say('publish', {
    confirms: [
      await send('amqplib.events', 'order.new', '{"n":1}', properties),
      await send('amqplib.all', 'order.via.fanout', 'two'),
      await send('amqplib.events', 'invoice.new', 'goes nowhere'),
      await send('', 'amqplib.orders', 'three'),
    ],
  });
  say('counts', await channel.checkQueue('amqplib.orders'));
  const first = (await channel.get('amqplib.orders')) as amqp.GetMessage;
  const { deliveryTag, ...fields } = first.fields;
  say('get', { tag: deliveryTag, fields, properties: first.properties, body: text(first) });
  channel.nack(first, false, true);
  const again = (await channel.get('amqplib.orders')) as amqp.GetMessage;
  say('get after requeue', { redelivered: again.fields.redelivered, body: text(again) });
  channel.ack(again);
  say('get without ack', { body: text(await channel.get('amqplib.orders', { noAck: true })) });
  say('purge', await channel.purgeQueue('amqplib.orders'));
  say('get nothing', { got: await channel.get('amqplib.orders') });
}

async function consumeWithPrefetch(): Promise<void> {
  for (let n = 1; n <= 6; n += 1) channel.sendToQueue('amqplib.orders', Buffer.from(`m${n}`));
  await channel.waitForConfirms();
  const consumer = await connection.createChannel();
  await consumer.prefetch(2);
  const inbox = new Inbox<ConsumeMessage>();
  const { consumerTag } = await consumer.consume('amqplib.orders', (m) => m && inbox.put(m), {
    consumerTag: 'worker',
  });
  const two = await inbox.take(2);
  const held = await channel.checkQueue('amqplib.orders');
  say('prefetch 2', { consumerTag, bodies: two.map(text), left: held, more: inbox.size });
  consumer.ack(two[1]!, true);
  const [third, fourth] = await inbox.take(2);
  consumer.reject(third!, true);
  const back = await inbox.next();
  say('reject', { body: text(back), redelivered: back.fields.redelivered });
  consumer.nack(fourth!, true, false);
  consumer.nack(back, false, false);
  say('after nack', { bodies: (await inbox.take(2)).map(text) });
  await consumer.recover();
  const recovered = await inbox.take(2);
  say('recover', { of: recovered.map((m) => [text(m), m.fields.redelivered]) });
  await consumer.cancel('worker');
  await consumer.close();
  const left = await eventually(
    () => channel.checkQueue('amqplib.orders'),
    ({ messageCount }) => messageCount === 2,
  );
  say('closed with unacknowledged', left);
  await channel.purgeQueue('amqplib.orders');
}

async function limitsAndDeadLetters(): Promise<void> {
  const dead = async (queue: string): Promise<amqp.GetMessage> =>
    (await eventually(() => channel.get(queue, { noAck: true }), Boolean)) as amqp.GetMessage;
  await channel.assertExchange('amqplib.dead', 'direct', { durable: true });
  await channel.assertQueue('amqplib.graveyard');
  await channel.bindQueue('amqplib.graveyard', 'amqplib.dead', 'buried');
  const bury = { deadLetterExchange: 'amqplib.dead', deadLetterRoutingKey: 'buried' };
  await channel.assertQueue('amqplib.short', { ...bury, messageTtl: 30, maxLength: 2 });
  const tell = (step: string, message: amqp.GetMessage | false): void => {
    if (message === false) return say(step, { came: false });
    const { fields, properties, content } = message;
    const { 'x-death': _, ...others } = properties.headers ?? {};
    const { exchange, routingKey } = fields;
    say(step, {
      body: content.toString(),
      from: { exchange, routingKey },
      expiration: properties.expiration,
      deaths: deaths(properties.headers),
      others,
    });
  };
  await send('', 'amqplib.short', 'too old', { headers: { kept: 'yes' } });
  tell('expired by queue', await dead('amqplib.graveyard'));
  await send('', 'amqplib.short', 'too old as well', { expiration: 10, CC: 'amqplib.nowhere' });
  tell('expired by message', await dead('amqplib.graveyard'));
  await channel.deleteQueue('amqplib.short');

  await channel.assertQueue('amqplib.small', { ...bury, maxLength: 1 });
  for (const body of ['first', 'second']) await send('', 'amqplib.small', body);
  tell('dropped at the head', await dead('amqplib.graveyard'));
  const second = (await channel.get('amqplib.small')) as amqp.GetMessage;
  channel.nack(second, false, false);
  let buried = await dead('amqplib.graveyard');
  tell('rejected', buried);
  await channel.assertQueue('amqplib.cycle', {
    deadLetterExchange: 'amqplib.dead',
    deadLetterRoutingKey: 'buried',
  });
  // A second death for the same reason in the same queue counts up.
  for (let n = 0; n < 2; n += 1) {
    await send('', 'amqplib.cycle', 'again', { headers: buried.properties.headers! });
    channel.reject((await channel.get('amqplib.cycle')) as amqp.GetMessage, false);
    buried = await dead('amqplib.graveyard');
    tell('died before', buried);
  }

  const full = { maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } };
  await channel.assertQueue('amqplib.full', full);
  say('full', {
    confirms: [await send('', 'amqplib.full', '1'), await send('', 'amqplib.full', '2')],
  });

  await channel.assertQueue('amqplib.urgent', { maxPriority: 5 });
  const priorities = [1, 5, 3, 9, 0];
  for (const priority of priorities) await send('', 'amqplib.urgent', `p${priority}`, { priority });
  const order: unknown[] = [];
  for (const _ of priorities)
    order.push(text(await channel.get('amqplib.urgent', { noAck: true })));
  say('priorities', { order });
}

async function routing(): Promise<void> {
  const { queue } = await channel.assertQueue('amqplib.routed');
  const { queue: other } = await channel.assertQueue('amqplib.unrouted');
  await channel.assertExchange('amqplib.lost', 'fanout');
  await channel.bindQueue(other, 'amqplib.lost', '');
  await channel.assertExchange('amqplib.match', 'headers', { alternateExchange: 'amqplib.lost' });
  await channel.bindQueue(queue, 'amqplib.match', '', { 'x-match': 'all', a: 1, b: 'x' });
  await send('amqplib.match', 'k', 'both', { headers: { a: 1, b: 'x', c: 0 } });
  await send('amqplib.match', 'k', 'one', { headers: { a: 1 } });
  await send('', queue, 'copies', { CC: [other], BCC: [queue] });
  for (const name of [queue, other]) {
    const one = (await channel.get(name, { noAck: true })) as amqp.GetMessage;
    const two = (await channel.get(name, { noAck: true })) as amqp.GetMessage;
    say('routed', { name, bodies: [text(one), text(two)], headers: two.properties.headers });
  }
  const returned = once(channel, 'return') as Promise<[Message]>;
  const confirm = await send('amqplib.events', 'nobody.listens', 'back', { mandatory: true });
  const [message] = await returned;
  say('returned', { confirm, fields: message.fields, body: text(message) });
}

async function rpc(): Promise<void> {
  const client = await connection.createChannel();
  const replies = new Inbox<ConsumeMessage | null>();
  await client.consume('amq.rabbitmq.reply-to', replies.put, { noAck: true });
  await channel.assertQueue('amqplib.rpc', { autoDelete: true, durable: false });
  const server = await connection.createChannel();
  const { consumerTag } = await server.consume('amqplib.rpc', (request) => {
    const { replyTo, correlationId } = request!.properties;
    say('request', { replyTo: String(replyTo).slice(0, 22), correlationId });
    server.sendToQueue(replyTo, Buffer.from(`re: ${text(request!)}`), { correlationId });
    server.ack(request!);
  });
  const request = { replyTo: 'amq.rabbitmq.reply-to', correlationId: '7' };
  client.sendToQueue('amqplib.rpc', Buffer.from('ping'), request);
  const reply = await replies.next();
  const { exchange } = reply!.fields;
  say('reply', { exchange, body: text(reply!), correlationId: reply!.properties.correlationId });
  await server.cancel(consumerTag);
  say('auto-deleted', await refused((on) => on.checkQueue('amqplib.rpc')));
  await client.close();
}

async function exclusiveAndCancel(): Promise<void> {
  const owner = await amqp.connect(url);
  const own = await owner.createChannel();
  await own.assertQueue('amqplib.mine', { exclusive: true });
  say('locked to consume', await refused((on) => on.consume('amqplib.mine', () => {})));
  say(
    'locked to declare',
    await refused((on) => on.assertQueue('amqplib.mine', { exclusive: true })),
  );
  await owner.close();
  say('gone with its owner', await refused((on) => on.checkQueue('amqplib.mine')));

  const cancelled = new Inbox<unknown>();
  await channel.consume('amqplib.routed', cancelled.put);
  await channel.deleteQueue('amqplib.routed');
  say('consumer cancelled', { message: await cancelled.next() });

  const only = await connection.createChannel();
  await only.consume('amqplib.orders', () => {}, { exclusive: true });
  say('exclusive consumer', await refused((on) => on.consume('amqplib.orders', () => {})));
  await only.close();
}

async function errors(): Promise<void> {
  const q = 'amqplib.orders';
  const acts: [string, (on: Channel) => Promise<unknown> | void][] = [
    ['no queue', (on) => on.checkQueue('amqplib.missing')],
    ['no exchange', (on) => on.checkExchange('amqplib.missing')],
    ['publish to no exchange', (on) => void on.publish('amqplib.missing', '', Buffer.from(''))],
    ['bind to no exchange', (on) => on.bindQueue(q, 'amqplib.missing', '')],
    ['consume from no queue', (on) => on.consume('amqplib.missing', () => {})],
    ['other durable', (on) => on.assertQueue(q, { durable: false })],
    ['other argument', (on) => on.assertQueue(q, { messageTtl: 5 })],
    ['other type', (on) => on.assertExchange('amqplib.events', 'direct')],
    ['bad argument', (on) => on.assertQueue('amqplib.bad', { messageTtl: -1 })],
    [
      'bad argument type',
      (on) => on.assertQueue('amqplib.bad', { arguments: { 'x-max-length': 'a' } }),
    ],
    ['reserved queue', (on) => on.assertQueue('amq.mine')],
    ['reserved exchange', (on) => on.assertExchange('amq.mine', 'direct')],
    ['default exchange', (on) => on.bindQueue(q, '', 'key')],
    ['delete default', (on) => on.deleteExchange('')],
    ['unknown tag', (on) => on.ack({ fields: { deliveryTag: 99 } } as Message)],
    ['bad expiration', (on) => void on.sendToQueue(q, Buffer.from(''), { expiration: 'soon' })],
    ['exchange in use', (on) => on.deleteExchange('amqplib.events', { ifUnused: true })],
    ['queue not empty', (on) => on.deleteQueue('amqplib.full', { ifEmpty: true })],
    ['other user', (on) => void on.sendToQueue(q, Buffer.from(''), { userId: 'somebody' })],
    [
      'no reply consumer',
      (on) => void on.sendToQueue(q, Buffer.from(''), { replyTo: 'amq.rabbitmq.reply-to' }),
    ],
    [
      'internal exchange',
      async (on) => {
        await on.assertExchange('amqplib.inside', 'direct', { internal: true });
        on.publish('amqplib.inside', '', Buffer.from(''));
      },
    ],
  ];
  for (const [name, act] of acts) say(name, await refused(act));
  const attempt = async (change: (parts: URL) => void): Promise<object> => {
    const parts = new URL(url);
    change(parts);
    const error = await amqp.connect(parts.href).then(
      () => new Error('it was let in'),
      (reason: Error) => reason,
    );
    return { message: error.message.replace(/\d+\.\d+\.\d+\.\d+:\d+/g, 'ADDRESS') };
  };
  say('wrong password', await attempt((parts) => (parts.password = 'wrong')));
  say('no virtual host', await attempt((parts) => (parts.pathname = '/missing')));
}

async function largeAndMany(): Promise<void> {
  const body = Buffer.alloc(300_000, 'large ');
  await new Promise((resolve) => channel.sendToQueue('amqplib.orders', body, {}, resolve));
  const large = (await channel.get('amqplib.orders', { noAck: true })) as amqp.GetMessage;
  say('large', { isEqual: large.content.equals(body) });
  const inbox = new Inbox<ConsumeMessage | null>();
  const { consumerTag } = await channel.consume('amqplib.orders', inbox.put, { noAck: true });
  for (let n = 0; n < 500; n += 1) channel.sendToQueue('amqplib.orders', Buffer.from(String(n)));
  await channel.waitForConfirms();
  const many = await inbox.take(500);
  say('many', { inOrder: many.every((message, n) => text(message!) === String(n)) });
  await channel.cancel(consumerTag);
}

/** A connection that comes back by itself finds all that is durable. */
async function recovery(): Promise<void> {
  await channel.assertQueue('amqplib.kept');
  const ready = new Inbox<ConfirmChannel>();
  const inbox = new Inbox<ConsumeMessage | null>();
  const recovering = await amqp.connect(url, {
    recovery: {
      initialDelay: 50,
      maxDelay: 200,
      setup: async (model: amqp.ChannelModel) => {
        const on = await model.createConfirmChannel();
        await on.consume('amqplib.kept', inbox.put);
        ready.put(on);
      },
    },
  });
  recovering.on('error', () => {});
  const before = await ready.next();
  await channel.assertQueue('amqplib.fleeting', { durable: false });
  await new Promise((resolve) =>
    before.sendToQueue('amqplib.kept', Buffer.from('survives'), { persistent: true }, resolve),
  );
  say('before the crash', { redelivered: (await inbox.next())!.fields.redelivered });
  connection.on('error', () => {});
  await restartBroker();
  const after = await ready.next();
  const message = (await inbox.next())!;
  say('after the crash', { body: text(message), redelivered: message.fields.redelivered });
  after.ack(message);
  const other = await recovering.createChannel();
  other.on('error', () => {});
  const outcome = await other.checkQueue('amqplib.fleeting').catch((error: Error) => error.message);
  say('what was not durable', { outcome });
  await after.deleteQueue('amqplib.kept');
  await recovering.close();
}

await play(
  topology,
  publishAndGet,
  consumeWithPrefetch,
  limitsAndDeadLetters,
  routing,
  rpc,
  exclusiveAndCancel,
  errors,
  largeAndMany,
  recovery,
);
