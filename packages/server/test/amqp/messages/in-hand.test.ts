/** What a broker keeps in memory for its clients, and what it does when the store fails. */
import { strict as assert } from 'node:assert';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BrokerPort, StorageError } from 'wherry';
import { encodeProperties } from '../../../src/protocols/amqp/properties.ts';
import { tableOf } from '../../../src/protocols/amqp/table.ts';
import { IN_HAND_BYTES_MAX } from '../../../src/servers/amqp/messages/channel-state.ts';
import type { Holder } from '../../../src/servers/amqp/messages/feeds.ts';
import { confirmed, declared, openForTests, refusal } from './helpers.ts';
import type { RecordedChannel } from './recorded-channel.ts';

const opened = openForTests();
const { connect } = opened;

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'it did not come to that');
    await sleep(10);
  }
}

/** The store fails when it is asked for this the next time. @returns how often it was asked */
function failOnce(
  t: TestContext,
  call: 'settle' | 'giveBack' | 'fail',
): { readonly count: number } {
  const port = opened.vhost.port as unknown as Record<string, (...args: unknown[]) => void>;
  const real = port[call]!.bind(port);
  let count = 0;
  port[call] = (...args): void => {
    count++;
    if (count > 1) return real(...args);
    const done = args.at(-1) as (error: Error) => void;
    queueMicrotask(() => done(new StorageError('the disk is not there')));
  };
  t.after(() => delete port[call]);
  return {
    get count() {
      return count;
    },
  };
}

async function counts(queue: string): Promise<{ ready: number; leased: number }> {
  const { ready, leased } = await opened.vhost.mq.getQueueInfo(queue);
  return { ready, leased };
}

test('publishes that are not stored yet count with what they take beside their payload', async () => {
  const connection = connect();
  const channel = connection.channel();
  const dead = await declared(channel);
  const full = await declared(channel, {
    'x-max-length': 0,
    'x-overflow': 'reject-publish-dlx',
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': dead,
  });
  await channel.call('confirm.select');
  for (const queue of [dead, full]) {
    for (let i = 0; i < 10; i++) channel.publish(queue, '');
  }
  assert.ok(connection.held >= 20 * 512, `${connection.held} bytes are held`);
  await confirmed(channel, 20);
  assert.equal(connection.held, 0);
  await channel.end.close();
});

test('of what a client has in hand no payload is kept, and none is lost', async () => {
  const channel = connect().channel();
  const dead = await declared(channel);
  const queue = await declared(channel, {
    'x-dead-letter-exchange': 'amq.direct',
  });
  const routingKey = `key of ${queue}`;
  await channel.call('queue.bind', { queue: dead, exchange: 'amq.direct', routingKey });
  await channel.call('queue.bind', { queue, exchange: 'amq.topic', routingKey });
  const payload = Buffer.alloc(100_000, 'p');
  channel.publish(routingKey, payload, {
    exchange: 'amq.topic',
    properties: { correlationId: 'c' },
  });
  await channel.call('basic.consume', { queue });
  const { args } = await channel.next('basic.deliver');
  const [delivery] = (channel.end as unknown as Holder).inHand();
  const { length: kept } = delivery!.held!.stored.body;
  assert.ok(kept < 1_000, `${kept} bytes of the body are kept`);
  const { deliveryTag } = args as { deliveryTag: number };
  await channel.send('basic.reject', { deliveryTag, requeue: true });
  const again = await channel.next('basic.deliver');
  assert.deepEqual(again.payload, payload);
  await channel.send('basic.reject', { deliveryTag: deliveryTag + 1, requeue: false });
  await channel.send('basic.get', { queue: dead });
  const buried = await channel.next('basic.get-ok');
  assert.deepEqual(buried.payload, payload);
  assert.equal(buried.properties!.correlationId, 'c');
  assert.equal((buried.args as { routingKey: string }).routingKey, routingKey);
  await channel.end.close();
});

test('what a connection has in hand is bounded over all of its channels', async () => {
  const connection = connect();
  const [first, second] = [connection.channel(1), connection.channel(2)];
  const queue = await declared(first);
  const kept = { headers: tableOf({ long: 'x'.repeat(10_000) }) };
  await first.call('confirm.select');
  for (let i = 0; i < 3; i++) first.publish(queue, String(i), { properties: kept });
  await confirmed(first, 3);
  await first.send('basic.get', { queue });
  await first.next('basic.get-ok');
  const { bytesInHand } = connection.host;
  assert.ok(bytesInHand > 10_000, `${bytesInHand} bytes are in hand`);
  // As if it had many more.
  connection.host.bytesInHand += IN_HAND_BYTES_MAX;
  await assert.rejects(second.send('basic.get', { queue }), refusal(406, /in hand take more than/));
  await second.call('basic.consume', { queue });
  assert.equal(opened.vhost.feeds.isWaiting(queue), false);
  connection.host.bytesInHand -= IN_HAND_BYTES_MAX;
  connection.drain();
  await second.next('basic.deliver');
  await second.next('basic.deliver');
  await second.end.close();
  await first.send('basic.ack', { deliveryTag: 1 });
  assert.equal(connection.host.bytesInHand, 0);
  await first.end.close();
});

for (const [call, settle] of [
  ['settle', (channel) => channel.send('basic.ack', { deliveryTag: 1 })],
  ['giveBack', (channel) => channel.send('basic.reject', { deliveryTag: 1, requeue: true })],
  ['fail', (channel) => channel.send('basic.reject', { deliveryTag: 1, requeue: false })],
] as readonly (readonly [
  'settle' | 'giveBack' | 'fail',
  (channel: RecordedChannel) => Promise<void>,
])[]) {
  test(`a lease that the store fails to end is ended later (${call})`, async (t) => {
    const channel = connect().channel();
    const queue = await declared(channel);
    channel.publish(queue, 'once');
    await channel.send('basic.get', { queue });
    await channel.next('basic.get-ok');
    const asked = failOnce(t, call);
    await settle(channel);
    await until(async () => (await counts(queue)).leased === 0);
    assert.equal((await counts(queue)).ready, call === 'giveBack' ? 1 : 0);
    assert.equal(asked.count, 2);
    await channel.end.close();
  });
}

test('what a commit was to settle goes back when it fails after the channel has closed', async (t) => {
  const channel = connect().channel();
  const queue = await declared(channel);
  channel.publish(queue, 'kept');
  await channel.call('tx.select');
  await channel.send('basic.get', { queue });
  await channel.next('basic.get-ok');
  await channel.send('basic.ack', { deliveryTag: 1 });
  const port = opened.vhost.port as { publishAtomic: BrokerPort['publishAtomic'] };
  const { promise, reject } = deferred();
  port.publishAtomic = () => promise;
  t.after(() => delete (port as Partial<typeof port>).publishAtomic);
  const committed = channel.send('tx.commit');
  await channel.end.close();
  reject(new StorageError('the disk is not there'));
  await assert.rejects(committed, refusal(406, /was not committed/));
  assert.deepEqual(await counts(queue), { ready: 1, leased: 0 });
});

function deferred(): { promise: Promise<void>; reject: (error: Error) => void } {
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((_, refuse) => (reject = refuse));
  return { promise, reject };
}

test('replies that wait for a connection are bounded together, and by more than payloads', async () => {
  const connection = connect();
  const channels = [connection.channel(1), connection.channel(2)];
  const queue = await declared(channels[0]!);
  const names: string[] = [];
  for (const channel of channels) {
    await channel.call('basic.consume', { queue: 'amq.rabbitmq.reply-to', noAck: true });
    channel.publish(queue, '', { properties: { replyTo: 'amq.rabbitmq.reply-to' } });
    await channel.send('basic.get', { queue, noAck: true });
    names.push((await channel.next('basic.get-ok')).properties!.replyTo!);
  }
  const properties = encodeProperties({ headers: tableOf({ long: 'x'.repeat(2 ** 16) }) });
  const reply = { exchange: '', routingKey: '', properties, payload: Buffer.alloc(0) };
  connection.mayDeliver = false;
  for (let i = 0; i < 600; i++) {
    for (const name of names) opened.vhost.replyTo.deliver(name, reply);
  }
  connection.drain();
  await until(() => connection.sent.length > 0);
  const { length } = connection.sent;
  assert.ok(length < 1_024, `${length} replies were kept`);
  assert.ok(length > 900, `${length} replies were kept`);
  // What was sent makes room.
  connection.sent.length = 0;
  connection.mayDeliver = false;
  opened.vhost.replyTo.deliver(names[0]!, reply);
  connection.drain();
  await channels[0]!.next('basic.deliver');
  for (const channel of channels) await channel.end.close();
});

test('a consumer that comes as the last one goes is known to the queue', async () => {
  const [first, second] = [connect().channel(), connect().channel()];
  // However far the one has come when the other goes.
  for (let steps = 0; steps < 20; steps++) {
    const queue = await declared(first);
    const consumerTag = queue;
    await first.call('basic.consume', { queue, consumerTag });
    const coming = second.call('basic.consume', { queue, consumerTag });
    for (let i = 0; i < steps; i++) await Promise.resolve();
    await first.call('basic.cancel', { consumerTag });
    await coming;
    const isWaiting = opened.vhost.feeds.isWaiting(queue);
    assert.equal(isWaiting, true, `the last one has gone after ${steps} steps`);
  }
  await first.end.close();
  await second.end.close();
});
