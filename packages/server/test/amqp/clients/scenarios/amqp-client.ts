/** `@cloudamqp/amqp-client`: its low-level client, and its session that reconnects by itself. */
import {
  AMQPClient,
  AMQPSession,
  type AMQPChannel,
  type AMQPMessage,
} from '@cloudamqp/amqp-client';
import { brokerUrl, deaths, eventually, Inbox, play, restartBroker, say } from './transcript.ts';

const url = brokerUrl();
const client = new AMQPClient(url);
const connection = await client.connect();
const channel = await connection.channel();
await channel.confirmSelect();

const message = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** @returns `ack`, or the error */
const send = (
  exchange: string,
  key: string,
  body: string | Uint8Array,
  properties: Parameters<AMQPChannel['basicPublish']>[3] = {},
  isMandatory = false,
): Promise<string> =>
  channel
    .basicPublish(exchange, key, body, { deliveryMode: 2, ...properties }, isMandatory)
    .then(() => 'ack', message);

/** Does something on a channel of its own. @returns the error that closes it, else `nothing` */
async function refused(act: (on: AMQPChannel) => Promise<unknown>): Promise<string> {
  const victim = await connection.channel();
  // What has no answer fails before the next call has one.
  const calls = act(victim).then(() => victim.basicQos(1));
  return calls.then(() => 'nothing', message);
}

const counts = (queue = 'ac.orders'): Promise<object> =>
  channel.queueDeclare(queue, { passive: true });

const get = (queue: string): Promise<string | null> =>
  channel.basicGet(queue, { noAck: true }).then((got) => got && got.bodyString());

async function topology(): Promise<void> {
  await channel.exchangeDeclare('ac.events', 'headers', { durable: true });
  await channel.exchangeDeclare('ac.all', 'fanout', { durable: true });
  say('declare', await channel.queueDeclare('ac.orders', { durable: true }));
  await channel.queueBind('ac.orders', 'ac.events', '', { 'x-match': 'any', kind: 'order', n: 7 });
  await channel.exchangeBind('ac.events', 'ac.all');
  const { name } = await channel.queueDeclare('', { exclusive: true });
  say('server-named', { prefix: name.slice(0, 8) });
}

async function publishAndGet(): Promise<void> {
  const properties = {
    contentType: 'text/plain',
    contentEncoding: 'utf-8',
    headers: {
      kind: 'order',
      big: 2 ** 40,
      list: [1, 'b', true],
      none: null,
      inner: { half: 0.5 },
    },
    priority: 1,
    correlationId: 'c',
    replyTo: 'r',
    messageId: 'm',
    timestamp: new Date(1_700_000_000_000),
    type: 't',
    userId: 'guest',
    appId: 'a',
  };
  say('publish', {
    confirms: [
      await send('ac.events', 'ignored', 'one', properties),
      await send('ac.all', '', 'two', { headers: { n: 7 } }),
      await send('ac.all', '', 'three', { headers: { n: 8 } }),
      await send('', 'ac.orders', 'x'.repeat(200_000)),
    ],
  });
  say('counts', await counts());
  const first = (await channel.basicGet('ac.orders', { noAck: false }))!;
  const { exchange, routingKey, redelivered, messageCount, properties: got } = first;
  say('get', { exchange, routingKey, redelivered, messageCount, got, body: first.bodyString() });
  await first.nack(true);
  const again = (await channel.basicGet('ac.orders', { noAck: false }))!;
  say('again', { redelivered: again.redelivered, body: again.bodyString() });
  await again.ack();
  say('second', { body: await get('ac.orders') });
  say('large', { length: (await get('ac.orders'))?.length });
  say('nothing', { got: await get('ac.orders') });
}

async function consume(): Promise<void> {
  for (let n = 0; n < 5; n += 1) await send('', 'ac.orders', `m${n}`);
  const consumer = await connection.channel();
  await consumer.basicQos(2);
  const inbox = new Inbox<AMQPMessage>();
  const { tag } = await consumer.basicConsume('ac.orders', { noAck: false, tag: 'tag' }, inbox.put);
  const first = await inbox.take(2);
  say('prefetch 2', { tag, bodies: first.map((m) => m.bodyString()), left: await counts() });
  await first[1]!.ack(true);
  const [third, fourth] = await inbox.take(2);
  await third!.reject(true);
  const back = await inbox.next();
  say('rejected', { body: back.bodyString(), redelivered: back.redelivered });
  await fourth!.nack(false);
  say('refused', { body: (await inbox.next()).bodyString() });
  await consumer.basicCancel('tag');
  await consumer.basicRecover(true);
  say('recovered', await eventually(counts, (left) => JSON.stringify(left).includes('Count":2')));
  await client.updateSecret('guest-password', 'renewed');
  say('flow', { active: await consumer.basicFlow(true) });
  await consumer.close();
  say('purge', await channel.queuePurge('ac.orders'));
}

async function limitsAndDeadLetters(): Promise<void> {
  await channel.queueDeclare('ac.graveyard', { durable: true });
  const bury = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'ac.graveyard' };
  const tell = async (step: string): Promise<void> => {
    const ask = (): Promise<AMQPMessage | null> =>
      channel.basicGet('ac.graveyard', { noAck: true });
    const got = await eventually(ask, Boolean);
    if (got === null) return say(step, { came: false });
    say(step, { body: got.bodyString(), deaths: deaths(got.properties.headers) });
  };
  await channel.queueDeclare('ac.short', {}, { ...bury, 'x-message-ttl': 20 });
  await send('', 'ac.short', 'old');
  await tell('expired');
  await channel.queueDeclare('ac.small', {}, { ...bury, 'x-max-length': 1 });
  await send('', 'ac.small', 'first');
  await send('', 'ac.small', 'second');
  await tell('dropped');
  await (await channel.basicGet('ac.small', { noAck: false }))!.reject(false);
  await tell('rejected');
  await channel.queueDeclare('ac.full', {}, { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
  say('full', { confirms: [await send('', 'ac.full', '1'), await send('', 'ac.full', '2')] });
  await channel.queueDeclare('ac.urgent', {}, { 'x-max-priority': 3 });
  for (const priority of [1, 3, 2]) await send('', 'ac.urgent', String(priority), { priority });
  say('priorities', {
    order: [await get('ac.urgent'), await get('ac.urgent'), await get('ac.urgent')],
  });
}

async function returnedAndRpc(): Promise<void> {
  const inbox = new Inbox<AMQPMessage>();
  channel.onReturn = inbox.put;
  const confirm = await send('ac.all', 'nobody', 'back', {}, true);
  const { replyCode, replyText, routingKey, body } = await inbox.next();
  say('returned', { confirm, replyCode, replyText, routingKey, length: body?.length });

  const session = await AMQPSession.connect(url);
  const server = await session.rpcServer('ac.rpc', (request) => `re: ${request.bodyString()}`);
  const reply = await session.rpcCall('ac.rpc', 'ping', { timeout: 5_000 });
  say('reply', { body: reply.bodyString() });
  await server.close();
  await session.stop();
}

async function exclusiveAndCancel(): Promise<void> {
  const owner = await new AMQPClient(url).connect();
  const own = await owner.channel();
  await own.queueDeclare('ac.mine', { exclusive: true });
  say('locked', { error: await refused((on) => on.queuePurge('ac.mine')) });
  await owner.close();
  const passive = { passive: true };
  say('gone with its owner', { error: await refused((on) => on.queueDeclare('ac.mine', passive)) });
  const { name } = await channel.queueDeclare('ac.leaving', { autoDelete: true, durable: false });
  const leaving = await channel.basicConsume(name, { noAck: true }, () => {});
  await leaving.cancel();
  say('auto-deleted', { error: await refused((on) => on.queueDeclare(name, passive)) });
  const consumer = await channel.basicConsume('ac.urgent', { noAck: true }, () => {});
  const waiting = consumer.wait().then(() => 'ended', message);
  await channel.queueDelete('ac.urgent');
  say('consumer cancelled', { error: (await waiting).replace(/amq\.ctag\S+/, 'TAG') });
}

async function transactions(): Promise<void> {
  const tx = await connection.channel();
  await tx.txSelect();
  await tx.basicPublish('', 'ac.orders', 'committed');
  await tx.txCommit();
  await tx.basicPublish('', 'ac.orders', 'rolled back');
  await tx.txRollback();
  say('transactions', await counts());
  await tx.close();
}

async function errors(): Promise<void> {
  const queue = 'ac.orders';
  const acts: Record<string, (on: AMQPChannel) => Promise<unknown>> = {
    'no queue': (on) => on.queueDeclare('ac.missing', { passive: true }),
    'no exchange': (on) => on.basicPublish('ac.missing', '', 'lost'),
    'other durable': (on) => on.queueDeclare(queue, { durable: false }),
    'other argument': (on) => on.queueDeclare(queue, { durable: true }, { 'x-expires': 1 }),
    'unknown argument': (on) => on.queueDeclare(queue, { durable: true }, { 'x-unknown': 1 }),
    reserved: (on) => on.exchangeDeclare('amq.mine', 'direct'),
    'default exchange': (on) => on.exchangeDelete(''),
    'unknown tag': (on) => on.basicAck(1),
    'not empty': (on) => on.queueDelete(queue, { ifEmpty: true }),
    'confirms and transactions': async (on) => {
      await on.confirmSelect();
      await on.txSelect();
    },
  };
  for (const [name, act] of Object.entries(acts)) say(name, { error: await refused(act) });
  for (const [name, other] of [
    ['wrong password', url.replace('guest:guest-password', 'guest:wrong')],
    ['no virtual host', `${url}missing`],
  ] as const) {
    const outcome = await new AMQPClient(other).connect().then(() => 'it was let in', message);
    say(name, { outcome });
  }
}

async function crash(): Promise<void> {
  const session = await AMQPSession.connect(url, {
    reconnectInterval: 50,
    maxReconnectInterval: 200,
  });
  const queue = await session.queue('ac.kept', { durable: true });
  const inbox = new Inbox<AMQPMessage>();
  // Else it acknowledges as soon as the callback has returned.
  await queue.subscribe({ manualAck: true, prefetch: 1 }, (got) => {
    inbox.put(got);
  });
  await queue.publish('kept', { deliveryMode: 2 });
  const before = await inbox.next();
  say('before the crash', { body: before.bodyString(), redelivered: before.redelivered });
  client.ondisconnect = () => {};
  await restartBroker();
  const after = await inbox.next();
  say('after the crash', { body: after.bodyString(), redelivered: after.redelivered });
}

await play(
  topology,
  publishAndGet,
  consume,
  limitsAndDeadLetters,
  returnedAndRpc,
  exclusiveAndCancel,
  transactions,
  errors,
  crash,
);
