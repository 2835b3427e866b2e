import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { plainTable, tableOf } from '../../../src/protocols/amqp/table.ts';
import { confirmed, declared, openForTests, refusal } from './helpers.ts';
import type { RecordedChannel } from './recorded-channel.ts';

const opened = openForTests();
const { connect } = opened;

test('each publish is confirmed once, those stored together in one answer', async () => {
  const connection = connect();
  const channel = connection.channel();
  const queue = await declared(channel);
  await channel.call('confirm.select');
  for (let i = 0; i < 600; i++) channel.publish(queue, String(i));
  assert.ok(connection.held > 0);
  const answers = await confirmed(channel, 600);
  assert.deepEqual(new Set(answers), new Set(['basic.ack']));
  assert.equal(channel.end.describe().unconfirmed, 0);
  assert.equal(connection.held, 0);
  const { args } = await channel.call('queue.declare', { queue, passive: true });
  assert.equal((args as { messageCount: number }).messageCount, 600);
  await channel.end.close();
});

test('what a full queue refuses is answered with nack, and the rest with ack', async () => {
  const channel = connect().channel();
  const queue = await declared(channel, { 'x-max-length': 3, 'x-overflow': 'reject-publish' });
  await channel.call('confirm.select');
  for (let i = 0; i < 5; i++) channel.publish(queue, String(i));
  assert.deepEqual(await confirmed(channel, 5), [
    'basic.ack',
    'basic.ack',
    'basic.ack',
    'basic.nack',
    'basic.nack',
  ]);
  await channel.end.close();
});

test('of several queues one that is full refuses for itself', async () => {
  const channel = connect().channel();
  const full = await declared(channel, { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
  const other = await declared(channel);
  for (const queue of [full, other]) {
    await channel.call('queue.bind', { queue, exchange: 'amq.fanout', arguments: new Map() });
  }
  await channel.call('confirm.select');
  for (let i = 0; i < 3; i++) channel.publish('', String(i), { exchange: 'amq.fanout' });
  assert.deepEqual(await confirmed(channel, 3), ['basic.ack', 'basic.nack', 'basic.nack']);
  const { args } = await channel.call('queue.declare', { queue: other, passive: true });
  assert.equal((args as { messageCount: number }).messageCount, 3);
  for (const queue of [full, other]) await channel.call('queue.delete', { queue });
  await channel.end.close();
});

test('a mandatory message that reaches nobody is returned, then confirmed', async () => {
  const channel = connect({ frameMax: 4_096 }).channel();
  await channel.call('confirm.select');
  const payload = Buffer.alloc(10_000, 'x');
  const headers = tableOf({ BCC: ['nowhere-else'], mine: 1 });
  channel.publish('nowhere', payload, { mandatory: true, properties: { headers } });
  const returned = await channel.next('basic.return');
  assert.deepEqual(
    { ...returned.args },
    {
      replyCode: 312,
      replyText: 'NO_ROUTE',
      exchange: '',
      routingKey: 'nowhere',
    },
  );
  assert.deepEqual(returned.payload, payload);
  assert.deepEqual({ ...plainTable(returned.properties!.headers!) }, { mine: 1 });
  assert.equal((await channel.next()).name, 'basic.ack');
  channel.publish('nowhere', 'unseen');
  assert.equal((await channel.next()).name, 'basic.ack');
  await channel.end.close();
});

test('CC and BCC are routed to; consumers see only CC', async () => {
  const channel = connect().channel();
  const [to, cc, bcc] = [await declared(channel), await declared(channel), await declared(channel)];
  await channel.call('confirm.select');
  const headers = tableOf({ CC: [cc, cc], BCC: [bcc] });
  channel.publish(to, 'copied', { properties: { headers } });
  await channel.next('basic.ack');
  for (const queue of [to, cc, bcc]) {
    await channel.send('basic.get', { queue, noAck: true });
    const { args, properties } = await channel.next('basic.get-ok');
    assert.equal((args as { routingKey: string }).routingKey, to);
    assert.deepEqual({ ...plainTable(properties!.headers!) }, { CC: [cc, cc] });
    await channel.send('basic.get', { queue });
    await channel.next('basic.get-empty');
  }
  await channel.end.close();
});

test('a body in many frames arrives as it was sent, an empty one too', async () => {
  const channel = connect({ frameMax: 4_096 }).channel();
  const queue = await declared(channel);
  await channel.call('basic.consume', { queue, noAck: true });
  const payload = Buffer.from(Array.from({ length: 20_001 }, (_, i) => i % 251));
  channel.publish(queue, payload, { frameSize: 4_088 });
  channel.publish(queue, '');
  assert.deepEqual((await channel.next()).payload, payload);
  assert.equal((await channel.next()).payload!.length, 0);
  await channel.end.close();
});

const refusals: readonly (readonly [
  string,
  Parameters<RecordedChannel['publish']>[2],
  number,
  RegExp,
])[] = [
  ['no such exchange', { exchange: 'none' }, 404, /^NOT_FOUND - no exchange 'none' in vhost '\/'$/],
  [
    'an internal exchange',
    { exchange: 'amq.rabbitmq.trace' },
    403,
    /cannot publish to internal exchange 'amq.rabbitmq.trace' in vhost '\/'$/,
  ],
  [
    'an expiration that is no number',
    { properties: { expiration: '12abc' } },
    406,
    /- invalid expiration '12abc': \{leftover_string,"abc"\}$/,
  ],
  [
    'a negative expiration',
    { properties: { expiration: '-1' } },
    406,
    /- invalid expiration '-1': \{value_negative,-1\}$/,
  ],
  [
    'the name of another user',
    { properties: { userId: 'bob' } },
    406,
    /- user_id property set to 'bob' but authenticated user was 'guest'$/,
  ],
  [
    'a CC header that is no array',
    { properties: { headers: tableOf({ CC: 'a' }) } },
    406,
    /- invalid message: \{unacceptable_type_in_header,"CC",longstr\}$/,
  ],
  [
    'replies without a consumer for them',
    { properties: { replyTo: 'amq.rabbitmq.reply-to' } },
    406,
    /- fast reply consumer does not exist$/,
  ],
];

for (const [what, options, code, text] of refusals) {
  test(`refused: ${what}`, () => {
    const channel = connect().channel();
    assert.throws(() => channel.publish('q', 'x', options), refusal(code, text));
  });
}

test('immediate is not implemented', async () => {
  const channel = connect().channel();
  await assert.rejects(
    channel.send('basic.publish', { exchange: '', immediate: true }),
    refusal(540, /^NOT_IMPLEMENTED - immediate=true$/),
  );
});

test('a request and its reply, without a queue of the one who asks', async () => {
  const connection = connect();
  const client = connection.channel(1);
  const server = connection.channel(2);
  const queue = await declared(server);
  await server.call('basic.consume', { queue, noAck: true });
  await assert.rejects(
    client.send('basic.consume', { queue: 'amq.rabbitmq.reply-to' }),
    refusal(406, /- reply consumer cannot acknowledge$/),
  );
  await client.call('basic.consume', {
    queue: 'amq.rabbitmq.reply-to',
    noAck: true,
    consumerTag: 'r',
  });
  client.publish(queue, 'question', {
    properties: { replyTo: 'amq.rabbitmq.reply-to', correlationId: '1', contentType: 'text/plain' },
  });
  const { properties } = await server.next('basic.deliver');
  assert.match(properties!.replyTo!, /^amq\.rabbitmq\.reply-to\..+/);
  assert.equal(properties!.contentType, 'text/plain');
  server.publish(properties!.replyTo!, 'answer', { properties: { correlationId: '1' } });
  const reply = await client.next('basic.deliver');
  assert.equal(String(reply.payload), 'answer');
  assert.equal((reply.args as { consumerTag: string }).consumerTag, 'r');
  await client.end.close();
  // Whoever asked has gone: as with no queue, it comes back when it is mandatory.
  server.publish(properties!.replyTo!, 'late', { mandatory: true });
  await server.next('basic.return');
  await server.end.close();
});

test('a transaction stores and settles when it is committed, and not when it is rolled back', async () => {
  const connection = connect();
  const channel = connection.channel(1);
  const reader = connection.channel(2);
  const queue = await declared(channel);
  channel.publish(queue, 'before');
  await channel.call('basic.consume', { queue, consumerTag: 'c' });
  await channel.next('basic.deliver');
  await channel.call('basic.cancel', { consumerTag: 'c' });
  await assert.rejects(reader.send('tx.commit'), refusal(406, /- channel is not transactional$/));
  await channel.call('tx.select');
  channel.publish(queue, 'undone');
  await channel.send('basic.ack', { deliveryTag: 1 });
  await channel.call('tx.rollback');
  channel.publish(queue, 'done');
  channel.publish('nowhere', 'returned', { mandatory: true });
  await channel.send('basic.ack', { deliveryTag: 1 });
  await reader.send('basic.get', { queue });
  await reader.next('basic.get-empty');
  await channel.send('tx.commit');
  await channel.next('basic.return');
  await channel.next('tx.commit-ok');
  await reader.send('basic.get', { queue });
  const { args, payload } = await reader.next('basic.get-ok');
  assert.equal(String(payload), 'done');
  assert.equal((args as { messageCount: number }).messageCount, 0);
  await assert.rejects(
    channel.send('confirm.select'),
    refusal(406, /- cannot switch from tx to confirm mode$/),
  );
  await channel.end.close();
  await reader.end.close();
});

test('what is mandatory comes back with the commit when its queue is gone by then', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  await channel.call('tx.select');
  channel.publish(queue, 'too late', { mandatory: true });
  await channel.call('queue.delete', { queue });
  await channel.send('tx.commit');
  assert.equal(String((await channel.next('basic.return')).payload), 'too late');
  await channel.next('tx.commit-ok');
  await channel.end.close();
});

test('an expiration of 0 reaches a consumer that waits, and nobody else', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  const properties = { expiration: '0' };
  await channel.call('confirm.select');
  channel.publish(queue, 'too early', { properties });
  await channel.next('basic.ack');
  await channel.call('basic.consume', { queue, noAck: true });
  const { feeds } = opened.vhost;
  while (!feeds.isWaiting(queue)) await setImmediate();
  channel.publish(queue, 'at once', { properties });
  const sent = [await channel.next(), await channel.next()];
  const delivered = sent.find(({ name }) => name === 'basic.deliver');
  assert.equal(String(delivered?.payload), 'at once');
  await channel.end.close();
});

test('what has no time does not come again when it is given back', async () => {
  const channel = connect().channel();
  for (const [args, expiration] of [
    [{}, '0'],
    [{ 'x-message-ttl': 0 }, undefined],
  ] as const) {
    const queue = await declared(channel, args);
    await channel.call('basic.consume', { queue, consumerTag: queue });
    const { feeds } = opened.vhost;
    while (!feeds.isWaiting(queue)) await setImmediate();
    channel.publish(queue, 'once', { properties: expiration === undefined ? {} : { expiration } });
    const { deliveryTag } = (await channel.next('basic.deliver')).args as { deliveryTag: number };
    await channel.send('basic.reject', { deliveryTag, requeue: true });
    await channel.call('basic.cancel', { consumerTag: queue });
    const { args: counts } = await channel.call('queue.declare', { queue, passive: true });
    assert.equal((counts as { messageCount: number }).messageCount, 0);
  }
  await channel.end.close();
});

test('a delayed exchange keeps a message back, and shows how long it has', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  const exchange = `${queue}-delayed`;
  await channel.call('exchange.declare', {
    exchange,
    type: 'x-delayed-message',
    arguments: tableOf({ 'x-delayed-type': 'direct' }),
  });
  await channel.call('queue.bind', { queue, exchange, routingKey: 'k', arguments: new Map() });
  await channel.call('basic.consume', { queue, noAck: true });
  const begun = performance.now();
  channel.publish('k', 'later', { exchange, properties: { headers: tableOf({ 'x-delay': 100 }) } });
  channel.publish('k', 'now', { exchange });
  assert.equal(String((await channel.next()).payload), 'now');
  const { payload, properties } = await channel.next();
  assert.equal(String(payload), 'later');
  assert.ok(performance.now() - begun >= 99);
  assert.deepEqual({ ...plainTable(properties!.headers!) }, { 'x-delay': -100 });
  await channel.end.close();
});

test('what the library has sent is delivered with what it has of properties', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  const { mq } = opened.vhost;
  await mq.sendMessage(queue, {
    payload: { a: 1 },
    headers: { tenant: 'x' },
    correlationId: 'c',
    priority: 3,
  });
  await channel.call('basic.consume', { queue });
  const { args, payload, properties } = await channel.next('basic.deliver');
  assert.deepEqual(JSON.parse(String(payload)), { a: 1 });
  const { headers, messageId, timestamp, ...rest } = properties!;
  assert.deepEqual(rest, {
    contentType: 'application/json',
    deliveryMode: 2,
    correlationId: 'c',
    ...((rest.priority ?? 0) > 0 && { priority: rest.priority }),
  });
  assert.deepEqual({ ...plainTable(headers!) }, { tenant: 'x' });
  assert.match(messageId!, /^[0-9a-f]{32}$/);
  assert.ok(Math.abs(timestamp! - Date.now() / 1_000) < 60);
  assert.equal((args as { routingKey: string }).routingKey, queue);
  await channel.end.close();
});
