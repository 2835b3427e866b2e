/** amqp-connection-manager, which keeps amqplib connected: setups run again, unsent messages wait. */
import { once } from 'node:events';
import type { Channel, ConfirmChannel, ConsumeMessage, Message } from 'amqplib';
import { connect } from 'amqp-connection-manager';
import { brokerUrl, eventually, Inbox, play, restartBroker, say } from './transcript.ts';

const url = brokerUrl();
const connection = connect([url], {
  heartbeatIntervalInSeconds: 5,
  // It takes 0 for its default.
  reconnectTimeInSeconds: 0.05,
});

let setups = 0;
const returned = new Inbox<Message>();
const channel = connection.createChannel({
  json: true,
  setup: async (on: ConfirmChannel) => {
    setups += 1;
    on.on('return', returned.put);
    await on.assertExchange('cm.events', 'direct', { durable: true });
    await on.assertQueue('cm.orders', { durable: true });
    await on.bindQueue('cm.orders', 'cm.events', 'order');
    await on.assertQueue('cm.kept', { durable: true });
  },
});
await channel.waitForConnect();
say('connected', { setups, isConnected: connection.isConnected() });

const body = (message: ConsumeMessage): unknown => JSON.parse(message.content.toString());

async function publishAndConsume(): Promise<void> {
  const confirms = [
    await channel.publish('cm.events', 'order', { n: 1 }, { persistent: true, priority: 2 }),
    await channel.sendToQueue('cm.orders', { n: 2 }, { persistent: true }),
    await channel.sendToQueue('cm.orders', { n: 3 }, { persistent: true }),
  ];
  const { messageCount, consumerCount } = await channel.checkQueue('cm.orders');
  say('publish', { confirms, messageCount, consumerCount });
  const inbox = new Inbox<ConsumeMessage>();
  await channel.consume('cm.orders', inbox.put, { prefetch: 1, consumerTag: 'tag' });
  const first = await inbox.next();
  const left = await channel.checkQueue('cm.orders');
  say('prefetch 1', { body: body(first), left: left.messageCount, more: inbox.size });
  channel.nack(first, false, true);
  const again = await inbox.next();
  say('requeued', { body: body(again), redelivered: again.fields.redelivered });
  channel.ack(again);
  channel.nack(await inbox.next(), false, false);
  channel.ack(await inbox.next());
  const empty = await eventually(
    () => channel.checkQueue('cm.orders'),
    (queue) => queue.messageCount === 0,
  );
  say('settled', empty);
  await channel.cancelAll();
  say('cancelled', await channel.checkQueue('cm.orders'));
}

/** A full queue, a queue with a time limit and dead letters. */
async function limits(): Promise<void> {
  await channel.assertQueue('cm.dead', { durable: true });
  const dead = { deadLetterExchange: '', deadLetterRoutingKey: 'cm.dead' };
  await channel.assertQueue('cm.short', { messageTtl: 20, ...dead });
  await channel.sendToQueue('cm.short', 'old');
  const found = await eventually(() => channel.get('cm.dead', { noAck: true }), Boolean);
  say('expired', { body: found && JSON.parse(found.content.toString()) });
  const full = { maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } };
  await channel.assertQueue('cm.full', full);
  await channel.sendToQueue('cm.full', 1);
  const second = await channel.sendToQueue('cm.full', 2).catch((error: Error) => error.message);
  say('full', { second });
  await channel.publish('cm.events', 'nobody', 'back', { mandatory: true });
  say('returned', { fields: (await returned.next()).fields });
}

async function prioritiesAndRpc(): Promise<void> {
  await channel.assertQueue('cm.urgent', { maxPriority: 3 });
  for (const priority of [1, 3, 2]) await channel.sendToQueue('cm.urgent', priority, { priority });
  const order: unknown[] = [];
  for (let n = 0; n < 3; n += 1) {
    const message = await channel.get('cm.urgent', { noAck: true });
    order.push(message && JSON.parse(message.content.toString()));
  }
  say('priorities', { order });

  const replies = new Inbox<ConsumeMessage>();
  const server = connection.createChannel({
    setup: async (on: Channel) => {
      await on.assertQueue('cm.rpc', { autoDelete: true });
      await on.consume('cm.rpc', (request) => {
        const { replyTo, correlationId } = request!.properties;
        on.sendToQueue(replyTo, request!.content, { correlationId });
        on.ack(request!);
      });
    },
  });
  const client = connection.createChannel({
    setup: (on: Channel) =>
      on.consume('amq.rabbitmq.reply-to', (reply) => replies.put(reply!), { noAck: true }),
  });
  await Promise.all([server.waitForConnect(), client.waitForConnect()]);
  const options = { replyTo: 'amq.rabbitmq.reply-to', correlationId: '9' };
  await client.publish('', 'cm.rpc', Buffer.from('"ping"'), options);
  const reply = await replies.next();
  say('reply', { body: body(reply), correlationId: reply.properties.correlationId });
  await server.close();
  await client.close();
}

async function exclusiveQueue(): Promise<void> {
  const other = connect([url]);
  const owner = other.createChannel({
    setup: (on: Channel) => on.assertQueue('cm.mine', { exclusive: true }),
  });
  await owner.waitForConnect();
  const setup = (on: Channel): Promise<unknown> => on.checkQueue('cm.mine');
  const stranger = connection.createChannel({ setup });
  const [error] = (await once(stranger, 'error')) as [Error];
  say('locked', { message: error.message });
  await stranger.close();
  await other.close();
  await channel.waitForConnect();
}

/** A setup that the broker refuses ends that channel, and no other. */
async function refused(): Promise<void> {
  const setup = (on: Channel): Promise<unknown> => on.assertQueue('cm.orders', { durable: false });
  const victim = connection.createChannel({ setup });
  const [error] = (await once(victim, 'error')) as [Error];
  say('refused', { message: error.message });
  await victim.close();
  await channel.waitForConnect();
  say('others go on', { messages: (await channel.checkQueue('cm.orders')).messageCount });
}

async function crash(): Promise<void> {
  const inbox = new Inbox<ConsumeMessage>();
  await channel.consume('cm.kept', inbox.put, { prefetch: 1 });
  await channel.sendToQueue('cm.kept', 'in hand', { persistent: true });
  say('before the crash', { redelivered: (await inbox.next()).fields.redelivered });
  const disconnected = once(connection, 'disconnect');
  const restarted = restartBroker();
  await disconnected;
  const later = channel.sendToQueue('cm.kept', 'sent while it was down', { persistent: true });
  await restarted;
  const again = await inbox.next();
  say('after the crash', { body: body(again), redelivered: again.fields.redelivered });
  channel.ack(again);
  say('sent later', { confirm: await later, body: body(await inbox.next()) });
}

await play(publishAndConsume, limits, prioritiesAndRpc, exclusiveQueue, refused, crash, () =>
  connection.close(),
);
