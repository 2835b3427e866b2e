/** rabbitmq-client, which reconnects by itself and sets up again what publishers and consumers need. */
import EventEmitter, { once } from 'node:events';
import { type AsyncMessage, type Channel, Connection, ConsumerStatus } from 'rabbitmq-client';
import { brokerUrl, deaths, eventually, Inbox, play, restartBroker, say } from './transcript.ts';

const url = brokerUrl();
const connection = new Connection({ url, retryLow: 50, retryHigh: 200 });
// It tells of every channel that the broker closes, which here is often meant.
connection.on('error', () => {});
await connection.onConnect();

const publisher = connection.createPublisher({
  confirm: true,
  maxAttempts: 1,
  exchanges: [{ exchange: 'rc.events', type: 'topic', durable: true }],
  queues: [{ queue: 'rc.orders', durable: true }],
  queueBindings: [{ exchange: 'rc.events', queue: 'rc.orders', routingKey: 'order.*' }],
});

interface Refusal {
  readonly code: string;
  readonly message: string;
}

const refusal = ({ code, message }: Refusal): object => ({ code, message });

/** @returns `ack`, or the error */
const send = (...args: Parameters<typeof publisher.send>): Promise<object | string> =>
  publisher.send(...args).then(() => 'ack', refusal);

/** Does something on a channel of its own. @returns the error that closes the channel */
async function refused(act: (on: Channel) => Promise<unknown>): Promise<object> {
  const victim = await connection.acquire();
  const closed = once(victim, 'close');
  const outcome = await act(victim).then(() => ({ code: 'none', message: '' }), refusal);
  await Promise.race([closed, victim.close().catch(() => {})]);
  return outcome;
}

const get = (queue: string): Promise<unknown> =>
  connection.basicGet({ queue, noAck: true }).then((message) => message?.body);

const counts = async (queue = 'rc.orders'): Promise<object> => {
  const { messageCount, consumerCount } = await connection.queueDeclare({ queue, passive: true });
  return { messageCount, consumerCount };
};

async function publishAndGet(): Promise<void> {
  const headers = { n: 1, big: 2 ** 40, list: ['a', 1, true], none: null, inner: { half: 0.5 } };
  const envelope = {
    exchange: 'rc.events',
    routingKey: 'order.new',
    durable: true,
    headers,
    priority: 1,
    correlationId: 'c',
    replyTo: 'r',
    messageId: 'm',
    timestamp: 1_700_000_000,
    type: 't',
    userId: 'guest',
    appId: 'a',
  };
  say('publish', {
    confirms: [
      await send(envelope, { n: 1 }),
      await send({ routingKey: 'rc.orders' }, 'text'),
      await send('rc.orders', Buffer.from([0, 255])),
    ],
  });
  say('counts', await counts());
  const channel = await connection.acquire();
  const first = (await channel.basicGet({ queue: 'rc.orders' }))!;
  const { timestamp, ...properties } = first;
  say('get', { at: Number(timestamp), ...properties });
  channel.basicNack({ deliveryTag: first.deliveryTag, requeue: true });
  const again = (await channel.basicGet({ queue: 'rc.orders' }))!;
  say('again', { body: again.body, redelivered: again.redelivered });
  channel.basicAck({ deliveryTag: again.deliveryTag });
  say('text', { body: await get('rc.orders') });
  say('bytes', { body: await get('rc.orders') });
  say('nothing', { got: await get('rc.orders') });
  await channel.close();
}

async function consume(): Promise<void> {
  for (let n = 0; n < 6; n += 1) await send('rc.orders', n);
  const inbox = new Inbox<[AsyncMessage, (status: ConsumerStatus) => void]>();
  const consumer = connection.createConsumer(
    {
      queue: 'rc.orders',
      queueOptions: { queue: 'rc.orders', durable: true },
      consumerTag: 'tag',
      qos: { prefetchCount: 2 },
      requeue: false,
    },
    (message) => new Promise((resolve) => inbox.put([message, resolve])),
  );
  const [first, second] = await inbox.take(2);
  say('prefetch 2', { bodies: [first![0].body, second![0].body], left: await counts() });
  first![1](ConsumerStatus.ACK);
  second![1](ConsumerStatus.REQUEUE);
  const [third, fourth] = await inbox.take(2);
  const told = [third![0], fourth![0]].map(({ body, redelivered }) => [body, redelivered]);
  say('requeued', { of: told });
  third![1](ConsumerStatus.DROP);
  fourth![1](ConsumerStatus.DROP);
  for (const [, settle] of await inbox.take(2)) settle(ConsumerStatus.ACK);
  const [, settle] = await inbox.next();
  settle(ConsumerStatus.ACK);
  await consumer.close();
  say('closed', await eventually(counts, (left) => JSON.stringify(left).includes('0,"c')));
}

async function limitsAndDeadLetters(): Promise<void> {
  const dead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'rc.graveyard' };
  await connection.queueDeclare({ queue: 'rc.graveyard', durable: true });
  const tell = async (step: string): Promise<void> => {
    const ask = (): ReturnType<typeof connection.basicGet> =>
      connection.basicGet({ queue: 'rc.graveyard', noAck: true });
    const message = await eventually(ask, Boolean);
    if (message === undefined) return say(step, { came: false });
    const { exchange, routingKey, headers, body, expiration } = message;
    say(step, { body, exchange, routingKey, expiration, deaths: deaths(headers) });
  };
  const short = { ...dead, 'x-message-ttl': 20 };
  await connection.queueDeclare({ queue: 'rc.short', durable: true, arguments: short });
  await send('rc.short', 'old');
  await tell('expired');
  const small = { ...dead, 'x-max-length': 1 };
  await connection.queueDeclare({ queue: 'rc.small', durable: true, arguments: small });
  await send('rc.small', 'first');
  await send({ routingKey: 'rc.small', expiration: '50' }, 'second');
  await tell('dropped');
  await tell('expired at the head');
  const full = { 'x-max-length': 1, 'x-overflow': 'reject-publish' } as const;
  await connection.queueDeclare({ queue: 'rc.full', arguments: full });
  say('full', { confirms: [await send('rc.full', 1), await send('rc.full', 2)] });
  await connection.queueDeclare({ queue: 'rc.urgent', arguments: { 'x-max-priority': 10 } });
  for (const priority of [2, 8, 4]) await send({ routingKey: 'rc.urgent', priority }, priority);
  say('priorities', {
    order: [await get('rc.urgent'), await get('rc.urgent'), await get('rc.urgent')],
  });
}

async function returnedAndRpc(): Promise<void> {
  const returned = once(publisher, 'basic.return');
  const confirm = await send(
    { exchange: 'rc.events', routingKey: 'nobody', mandatory: true },
    'back',
  );
  const [{ replyCode, replyText, exchange, body }] = await returned;
  say('returned', { confirm, replyCode, replyText, exchange, body });

  const server = connection.createConsumer(
    { queue: 'rc.rpc', queueOptions: { queue: 'rc.rpc', autoDelete: true } },
    async (request, reply) => reply(`re: ${request.body}`),
  );
  await once(server, 'ready');
  const client = connection.createRPCClient({ confirm: true });
  const replies = await Promise.all(['a', 'b', 'c'].map((ask) => client.send('rc.rpc', ask)));
  say('replies', { bodies: replies.map(({ body: text }) => text) });
  await client.close();
  await server.close();
  say('auto-deleted', await refused((on) => on.queueDeclare({ queue: 'rc.rpc', passive: true })));
}

async function exclusiveAndCancel(): Promise<void> {
  const owner = new Connection(url);
  await owner.queueDeclare({ queue: 'rc.mine', exclusive: true });
  say('locked', await refused((on) => on.basicGet('rc.mine')));
  await owner.close();
  const consumer = await connection.acquire();
  const cancelled = once(consumer, 'basic.cancel') as Promise<[string]>;
  await consumer.basicConsume({ queue: 'rc.urgent', consumerTag: 'tag' }, () => {});
  await connection.queueDelete('rc.urgent');
  const [tag] = await cancelled;
  say('consumer cancelled', { tag });
  await consumer.close();
}

async function transactions(): Promise<void> {
  const tx = await connection.acquire();
  await tx.txSelect();
  await tx.basicPublish('rc.orders', 'committed');
  await tx.txCommit();
  await tx.basicPublish('rc.orders', 'rolled back');
  await tx.txRollback();
  say('transactions', await counts());
  await tx.close();
  await connection.queuePurge('rc.orders');
}

async function errors(): Promise<void> {
  const queue = 'rc.orders';
  const acts: Record<string, (on: Channel) => Promise<unknown>> = {
    'no queue': (on) => on.queueDeclare({ queue: 'rc.missing', passive: true }),
    'no exchange': (on) => on.exchangeDeclare({ exchange: 'rc.missing', passive: true }),
    'other durable': (on) => on.queueDeclare({ queue }),
    'other argument': (on) => on.queueDeclare({ queue: 'rc.full' }),
    reserved: (on) => on.queueDeclare({ queue: 'amq.mine' }),
    'default exchange': (on) => on.queueBind({ queue, exchange: '', routingKey: 'k' }),
    'queue in use': async (on) => {
      await on.basicConsume({ queue }, () => {});
      await on.queueDelete({ queue, ifUnused: true });
    },
    'commit without': (on) => on.txCommit(),
  };
  for (const [name, act] of Object.entries(acts)) say(name, await refused(act));
  const stranger = new Connection({
    url: url.replace('guest:guest-password', 'guest:wrong'),
    retryLow: 1e5,
  });
  const [error] = (await once(stranger, 'error')) as [Refusal];
  say('wrong password', refusal(error));
  await stranger.close();
}

async function crash(): Promise<void> {
  const inbox = new Inbox<AsyncMessage>();
  const up = new EventEmitter();
  const consumer = connection.createConsumer(
    {
      queue: 'rc.kept',
      queueOptions: { queue: 'rc.kept', durable: true },
      qos: { prefetchCount: 1 },
    },
    async (message) => {
      inbox.put(message);
      // The first is in hand when the broker dies.
      if (message.body === 'kept' && !message.redelivered) await once(up, 'again');
    },
  );
  // That it could not acknowledge any more.
  consumer.on('error', () => {});
  await once(consumer, 'ready');
  await send({ routingKey: 'rc.kept', durable: true }, 'kept');
  say('before the crash', { body: (await inbox.next()).body });
  await restartBroker();
  up.emit('again');
  const { body, redelivered } = await inbox.next();
  say('after the crash', { body, redelivered });
  const other = connection.createPublisher({ confirm: true, maxAttempts: 20 });
  await other.send({ routingKey: 'rc.kept', durable: true }, 'more');
  say('publishes again', { body: (await inbox.next()).body });
}

await play(
  publishAndGet,
  consume,
  limitsAndDeadLetters,
  returnedAndRpc,
  exclusiveAndCancel,
  transactions,
  errors,
  crash,
);
