/** What clients may say, however odd, loses no message and closes no connection. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { encodeProperties, type Properties } from '../../../src/protocols/amqp/properties.ts';
import { type FieldValue, plainTable, tableOf } from '../../../src/protocols/amqp/table.ts';
import { getMessages } from '../../../src/servers/amqp/administration/administered-messages.ts';
import { until } from '../../http/client.ts';
import { confirmed, declared, nextName, openForTests, refusal } from './helpers.ts';
import type { RecordedChannel, Sent } from './recorded-channel.ts';

const opened = openForTests();
const { connect } = opened;

/** A timestamp in nanoseconds: above 2^53. */
const NANOSECONDS = Buffer.from('00401000000000000001', 'hex');
/** A message-id that is no UTF-8. */
const NO_TEXT = Buffer.from('008002fffe', 'hex');

async function deadLetterPair(
  channel: RecordedChannel,
  more: Record<string, unknown> = {},
): Promise<{ dead: string; queue: string }> {
  const dead = await declared(channel);
  const queue = nextName();
  const target = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead };
  const table = tableOf({ ...target, ...more });
  await channel.call('queue.declare', { queue, durable: true, arguments: table });
  return { dead, queue };
}

/** The message of a queue dies, and is had from where it went. */
async function died(channel: RecordedChannel, queue: string, dead: string): Promise<Sent> {
  await channel.send('basic.get', { queue });
  const { args } = await channel.next('basic.get-ok');
  const { deliveryTag } = args as { deliveryTag: number };
  await channel.send('basic.reject', { deliveryTag, requeue: false });
  await channel.send('basic.get', { queue: dead, noAck: true });
  return channel.next('basic.get-ok');
}

for (const [what, raw, kept] of [
  ['a timestamp above 2^53', NANOSECONDS, { timestamp: 2 ** 60 }],
  ['a message-id that is no UTF-8', NO_TEXT, { messageId: '\ufffd\ufffd' }],
] as const) {
  for (const type of ['classic', 'quorum']) {
    test(`a message with ${what} dies in a ${type} queue, and is not lost`, async () => {
      const channel = connect().channel();
      const { dead, queue } = await deadLetterPair(channel, { 'x-queue-type': type });
      channel.publish(queue, 'odd', { properties: raw });
      const { payload, properties } = await died(channel, queue, dead);
      assert.equal(String(payload), 'odd');
      const { headers, ...others } = properties as Properties;
      assert.deepEqual(others, kept);
      assert.equal(plainTable(headers!)['x-first-death-queue'], queue);
      await channel.end.close();
    });
  }
}

test('a reply name takes the place of what the client asked for, and all else keeps its bytes', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  await channel.call('basic.consume', { queue: 'amq.rabbitmq.reply-to', noAck: true });
  const replyTo = Buffer.from('amq.rabbitmq.reply-to');
  const raw = Buffer.concat([
    Buffer.from([0x02, 0x40, replyTo.length]),
    replyTo,
    NANOSECONDS.subarray(2),
  ]);
  channel.publish(queue, 'ask', { properties: raw });
  await channel.send('basic.get', { queue, noAck: true });
  const { properties } = await channel.next('basic.get-ok');
  assert.equal(properties!.timestamp, 2 ** 60);
  assert.match(properties!.replyTo!, /^amq\.rabbitmq\.reply-to\../);
  await channel.end.close();
});

test('deaths that a client has counted as far as it goes are not counted further', async () => {
  const channel = connect().channel();
  const { dead, queue } = await deadLetterPair(channel);
  const count: FieldValue = { type: 'l', value: 2n ** 63n - 1n };
  const death = new Map([...tableOf({ queue, reason: 'rejected' }), ['count', count]]);
  const headers = new Map<string, FieldValue>([
    ['x-death', { type: 'A', value: [{ type: 'F', value: death }] }],
  ]);
  channel.publish(queue, 'often', { properties: { headers } });
  const { properties } = await died(channel, queue, dead);
  const deaths = properties!.headers!.get('x-death') as unknown as {
    value: { value: typeof death }[];
  };
  assert.deepEqual(deaths.value[0]!.value.get('count'), count);
  await channel.end.close();
});

/** A message whose body no client of AMQP has sent. */
function storeOdd(queue: string): Promise<void> {
  const body = Buffer.from('this is no content');
  const odd = { encoding: 'amqp', body, bytes: body.length, properties: null } as const;
  const message = { ...odd, priority: 0, delay: 0, deliverAt: null, ttl: null, groupId: null };
  return new Promise((resolve, reject) => {
    opened.vhost.port.publish([queue], { ...message, deduplicationId: null }, (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}

test('what cannot be delivered does not keep people from looking at what is behind it', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  await channel.call('confirm.select');
  await storeOdd(queue);
  channel.publish(queue, 'behind');
  await confirmed(channel, 1);
  const options = { count: 1, bytesMax: 1_000, mode: 'requeue' } as const;
  const shown = await getMessages(opened.vhost, queue, options);
  assert.deepEqual(
    shown.map(({ payload }) => String(payload)),
    ['behind'],
  );
  const { mq } = opened.vhost;
  const dead = mq.deadLetterQueue.queueName;
  await until(async () => (await mq.browse(dead)).messages.length === 1);
  await mq.purgeQueue(dead);
  await channel.end.close();
});

test('what cannot be delivered becomes a dead letter, and does not keep what is behind it', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  const { mq } = opened.vhost;
  await storeOdd(queue);
  channel.publish(queue, 'first');
  await channel.send('basic.get', { queue, noAck: true });
  assert.equal(String((await channel.next('basic.get-ok')).payload), 'first');
  await storeOdd(queue);
  await channel.send('basic.get', { queue });
  await channel.next('basic.get-empty');
  await storeOdd(queue);
  channel.publish(queue, 'next');
  await channel.call('basic.consume', { queue, noAck: true });
  assert.equal(String((await channel.next('basic.deliver')).payload), 'next');
  await channel.end.close();
  await until(async () => (await mq.getQueueInfo(queue)).leased === 0);
  const { messages } = await mq.browse(mq.deadLetterQueue.queueName);
  assert.deepEqual(
    messages.map(({ deaths }) => [deaths[0]!.queue, deaths[0]!.reason, deaths[0]!.error]),
    Array.from({ length: 3 }, () => [queue, 'invalid', 'The stored body is no AMQP content.']),
  );
});

test('copies for keys that are too long go nowhere', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  await channel.call('confirm.select');
  const headers = tableOf({ CC: ['k'.repeat(256), '€'.repeat(86)], BCC: ['b'.repeat(300)] });
  channel.publish(queue, 'copied', { properties: { headers } });
  assert.deepEqual(await confirmed(channel, 1), ['basic.ack']);
  await channel.send('basic.get', { queue, noAck: true });
  assert.equal(String((await channel.next('basic.get-ok')).payload), 'copied');
  await channel.end.close();
});

test('a delay may be longer than 31 bits, and not longer than ten years', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  const exchange = nextName();
  const type = tableOf({ 'x-delayed-type': 'fanout' });
  await channel.call('exchange.declare', { exchange, type: 'x-delayed-message', arguments: type });
  await channel.call('queue.bind', { queue, exchange });
  await channel.call('confirm.select');
  const delayed = (delay: number): Properties => ({ headers: tableOf({ 'x-delay': delay }) });
  channel.publish('', 'late', { exchange, properties: delayed(3_000_000_000) });
  assert.deepEqual(await confirmed(channel, 1), ['basic.ack']);
  assert.equal((await opened.vhost.mq.getQueueInfo(queue)).scheduled, 1);
  assert.throws(
    () => channel.publish('', 'never', { exchange, properties: delayed(400_000_000_000) }),
    refusal(406, /x-delay is 400000000000; it may be at most 315360000000/),
  );
  await channel.end.close();
});

test('a consumer timeout below zero is refused', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  const table = tableOf({ 'x-consumer-timeout': -5 });
  await assert.rejects(
    channel.send('basic.consume', { queue, arguments: table }),
    refusal(406, /invalid arg 'x-consumer-timeout' .*value_negative,-5/),
  );
  await channel.end.close();
});

test('properties that are no UTF-8 do not keep people from looking at a queue', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  await channel.call('confirm.select');
  channel.publish(queue, 'odd', { properties: NO_TEXT });
  channel.publish(queue, 'plain', { properties: encodeProperties({ messageId: 'm' }) });
  await confirmed(channel, 2);
  const options = { count: 10, bytesMax: 1_000, mode: 'requeue' } as const;
  const shown = await getMessages(opened.vhost, queue, options);
  assert.deepEqual(
    shown.map(({ properties }) => properties['message_id']),
    ['\ufffd\ufffd', 'm'],
  );
  await channel.end.close();
});
