import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { FieldValue } from '../../../src/protocols/amqp/table.ts';
import { declared, openForTests, refusal } from './helpers.ts';
import type { RecordedChannel, Sent } from './recorded-channel.ts';

const opened = openForTests();
const { connect } = opened;

/** What a consumer got, and its tag. */
function received({ args, payload }: Sent): { text: string; tag: number; redelivered: boolean } {
  const { deliveryTag, redelivered } = args as { deliveryTag: number; redelivered: boolean };
  return { text: String(payload), tag: deliveryTag, redelivered };
}

test('what was published is delivered with its properties, and settled by an acknowledgement', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  const { args } = await channel.call('basic.consume', { queue });
  assert.match((args as { consumerTag: string }).consumerTag, /^amq\.ctag-[\w-]{22}$/);
  channel.publish(queue, 'hello', {
    properties: { contentType: 'text/plain', correlationId: '7', deliveryMode: 2 },
    frameSize: 2,
  });
  const delivery = await channel.next('basic.deliver');
  assert.deepEqual(received(delivery), { text: 'hello', tag: 1, redelivered: false });
  assert.deepEqual(delivery.properties, {
    contentType: 'text/plain',
    correlationId: '7',
    deliveryMode: 2,
  });
  assert.equal((delivery.args as { exchange: string }).exchange, '');
  assert.equal((delivery.args as { routingKey: string }).routingKey, queue);
  await channel.send('basic.ack', { deliveryTag: 1 });
  await channel.end.close();
  const { args: counts } = await connect()
    .channel()
    .call('queue.declare', { queue, passive: true });
  assert.equal((counts as { messageCount: number }).messageCount, 0);
});

test('a consumer has no more in hand than its prefetch, all of a channel no more than the global one', async () => {
  const connection = connect();
  const channel = connection.channel();
  const queue = await declared(channel);
  for (let i = 0; i < 10; i++) channel.publish(queue, String(i));
  await channel.call('basic.qos', { prefetchCount: 2 });
  await channel.call('basic.consume', { queue, consumerTag: 'a' });
  assert.equal(received(await channel.next()).text, '0');
  assert.equal(received(await channel.next()).text, '1');
  assert.equal(channel.end.describe().unacknowledged, 2);
  await channel.call('basic.qos', { prefetchCount: 3, global: true });
  await channel.call('basic.consume', { queue, consumerTag: 'b' });
  assert.equal(received(await channel.next()).text, '2');
  await channel.send('basic.ack', { deliveryTag: 3 });
  // b has prefetch 2 of its own; together they have 3.
  assert.equal(received(await channel.next()).text, '3');
  assert.equal(channel.end.describe().unacknowledged, 3);
  await channel.send('basic.ack', { deliveryTag: 4, multiple: true });
  const texts = [];
  for (let i = 0; i < 3; i++) texts.push(received(await channel.next()).text);
  assert.deepEqual(texts, ['4', '5', '6']);
  assert.equal(channel.end.describe().unacknowledged, 3);
  await channel.end.close();
});

test('a consumer that does not acknowledge is held up by the limit of all, but does not count', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  const other = await declared(channel);
  await channel.call('basic.qos', { prefetchCount: 1, global: true });
  await channel.call('basic.consume', { queue });
  channel.publish(queue, 'in hand');
  await channel.next('basic.deliver');
  await channel.call('basic.consume', { queue: other, noAck: true });
  channel.publish(other, 'held up');
  channel.publish(other, 'too');
  const counts = await channel.call('queue.declare', { queue: other, passive: true });
  assert.equal((counts.args as { messageCount: number }).messageCount, 2);
  await channel.send('basic.ack', { deliveryTag: 1 });
  assert.equal(received(await channel.next('basic.deliver')).text, 'held up');
  assert.equal(received(await channel.next('basic.deliver')).text, 'too');
  await channel.end.close();
});

test('queues whose consumers share one limit all get their turn', async () => {
  const channel = connect().channel();
  await channel.call('basic.qos', { prefetchCount: 1, global: true });
  const queues = [await declared(channel), await declared(channel), await declared(channel)];
  for (const queue of queues) await channel.call('basic.consume', { queue, consumerTag: queue });
  for (const queue of queues) {
    for (let i = 0; i < 4; i++) channel.publish(queue, queue);
  }
  const served = new Set<string>();
  for (let tag = 1; tag <= 6; tag++) {
    served.add(received(await channel.next('basic.deliver')).text);
    await channel.send('basic.ack', { deliveryTag: tag });
  }
  assert.deepEqual(served, new Set(queues));
  await channel.end.close();
});

test('what a channel has published before it cancels a consumer still comes to that consumer', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  await channel.call('basic.consume', { queue, consumerTag: 'c', noAck: true });
  for (let i = 0; i < 10; i++) channel.publish(queue, String(i));
  await channel.send('basic.cancel', { consumerTag: 'c' });
  for (let i = 0; i < 10; i++) {
    assert.equal(received(await channel.next('basic.deliver')).text, String(i));
  }
  await channel.next('basic.cancel-ok');
  await channel.end.close();
});

test('consumers take turns, those of a higher priority come first', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  await channel.call('basic.qos', { prefetchCount: 2 });
  const high: FieldValue = { type: 'I', value: 5 };
  await channel.call('basic.consume', { queue, consumerTag: 'a' });
  await channel.call('basic.consume', { queue, consumerTag: 'b' });
  await channel.call('basic.consume', {
    queue,
    consumerTag: 'high',
    arguments: new Map([['x-priority', high]]),
  });
  for (let i = 0; i < 6; i++) channel.publish(queue, String(i));
  const tags: string[] = [];
  for (let i = 0; i < 6; i++) {
    tags.push(((await channel.next()).args as { consumerTag: string }).consumerTag);
  }
  assert.deepEqual(tags, ['high', 'high', 'a', 'b', 'a', 'b']);
  await channel.end.close();
});

test('what is rejected with requeue, or not settled when the channel closes, comes again as redelivered', async () => {
  const connection = connect();
  const channel = connection.channel();
  const queue = await declared(channel);
  for (const text of ['a', 'b', 'c']) channel.publish(queue, text);
  await channel.call('basic.consume', { queue, consumerTag: 'x' });
  for (let i = 0; i < 3; i++) await channel.next('basic.deliver');
  await channel.call('basic.cancel', { consumerTag: 'x' });
  await channel.send('basic.nack', { deliveryTag: 2, multiple: true, requeue: true });
  await channel.end.close();
  const second = connection.channel(2);
  await second.call('basic.consume', { queue });
  const again = [];
  for (let i = 0; i < 3; i++) again.push(received(await second.next()));
  assert.deepEqual(
    again.map(({ text, redelivered }) => [text, redelivered]),
    [
      ['a', true],
      ['b', true],
      ['c', true],
    ],
  );
  await second.end.close();
});

test('basic.recover delivers again; without requeue it is not implemented', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  channel.publish(queue, 'a');
  await channel.call('basic.consume', { queue });
  assert.equal(received(await channel.next()).tag, 1);
  await channel.send('basic.recover', { requeue: true });
  const sent = [await channel.next(), await channel.next()].map(({ name }) => name);
  assert.deepEqual(sent.toSorted(), ['basic.deliver', 'basic.recover-ok']);
  await assert.rejects(
    channel.send('basic.recover', { requeue: false }),
    refusal(540, /^NOT_IMPLEMENTED - requeue=false$/),
  );
  await assert.rejects(
    channel.send('basic.ack', { deliveryTag: 1 }),
    refusal(406, /^PRECONDITION_FAILED - unknown delivery tag 1$/),
  );
  await channel.end.close();
});

test('a tag is settled once; 0 with multiple is all there is', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  await channel.send('basic.ack', { deliveryTag: 0, multiple: true });
  await assert.rejects(
    channel.send('basic.ack', { deliveryTag: 0 }),
    refusal(406, /delivery tag 0$/),
  );
  for (const text of ['a', 'b']) channel.publish(queue, text);
  await channel.call('basic.consume', { queue });
  for (let i = 0; i < 2; i++) await channel.next('basic.deliver');
  await channel.send('basic.ack', { deliveryTag: 0, multiple: true });
  await assert.rejects(channel.send('basic.reject', { deliveryTag: 2 }), refusal(406, /tag 2$/));
  assert.equal(channel.end.describe().unacknowledged, 0);
  await channel.end.close();
});

test('a consumer without acknowledgement gets all, and nothing is left of it', async () => {
  const connection = connect();
  const channel = connection.channel();
  const queue = await declared(channel);
  await channel.call('basic.qos', { prefetchCount: 1 });
  await channel.call('basic.consume', { queue, noAck: true });
  for (let i = 0; i < 5; i++) channel.publish(queue, String(i));
  for (let i = 0; i < 5; i++) assert.equal(received(await channel.next()).text, String(i));
  assert.equal(channel.end.describe().unacknowledged, 0);
  await channel.end.close();
  const { name } = await nextOfGet(connection.channel(2), queue);
  assert.equal(name, 'basic.get-empty');
});

async function nextOfGet(channel: RecordedChannel, queue: string, noAck = false): Promise<Sent> {
  await channel.send('basic.get', { queue, noAck });
  return channel.next();
}

test('basic.get gives one message and how many are left', async () => {
  const channel = connect().channel();
  const queue = await declared(channel);
  for (const text of ['a', 'b', 'c']) channel.publish(queue, text);
  await channel.call('confirm.select');
  channel.publish(queue, 'd');
  await channel.next('basic.ack');
  const first = await nextOfGet(channel, queue);
  assert.equal(String(first.payload), 'a');
  assert.deepEqual(
    { ...first.args },
    {
      deliveryTag: 1,
      redelivered: false,
      exchange: '',
      routingKey: queue,
      messageCount: 3,
    },
  );
  assert.equal(String((await nextOfGet(channel, queue, true)).payload), 'b');
  await channel.send('basic.nack', { deliveryTag: 1, requeue: true });
  const again = await nextOfGet(channel, queue);
  assert.deepEqual(received(again), { text: 'a', tag: 3, redelivered: true });
  await assert.rejects(
    channel.send('basic.get', { queue: 'none' }),
    refusal(404, /^NOT_FOUND - no queue 'none' in vhost '\/'$/),
  );
  await channel.end.close();
});

test('a deleted queue cancels its consumers, and their late acknowledgements do no harm', async () => {
  const connection = connect();
  const channel = connection.channel();
  const queue = await declared(channel);
  channel.publish(queue, 'a');
  await channel.call('basic.consume', { queue, consumerTag: 'doomed' });
  await channel.next('basic.deliver');
  await connection.channel(2).call('queue.delete', { queue });
  const { args } = await channel.next('basic.cancel');
  assert.deepEqual({ ...args }, { consumerTag: 'doomed', nowait: true });
  await channel.send('basic.ack', { deliveryTag: 1 });
  assert.equal(channel.end.describe().consumers, 0);
  await channel.end.close();
});

test('tags are unique in a channel; an exclusive consumer is alone', async () => {
  const connection = connect();
  const channel = connection.channel();
  const queue = await declared(channel);
  await channel.call('basic.consume', { queue, consumerTag: 'a', exclusive: true });
  await assert.rejects(
    channel.send('basic.consume', { queue, consumerTag: 'a' }),
    refusal(530, /^NOT_ALLOWED - attempt to reuse consumer tag 'a'$/),
  );
  await assert.rejects(
    connection.channel(2).send('basic.consume', { queue }),
    refusal(403, /^ACCESS_REFUSED - queue '.*' in vhost '\/' in exclusive use$/),
  );
  await channel.end.close();
});

test('of a queue with a single active consumer the next takes over', async () => {
  const connection = connect();
  const channel = connection.channel();
  const queue = await declared(channel, { 'x-single-active-consumer': true });
  const second = connection.channel(2);
  await channel.call('basic.consume', { queue });
  await second.call('basic.consume', { queue });
  for (const text of ['a', 'b', 'c']) channel.publish(queue, text);
  for (let i = 0; i < 3; i++) await channel.next('basic.deliver');
  await channel.end.close();
  assert.deepEqual(received(await second.next()), { text: 'a', tag: 1, redelivered: true });
  await second.end.close();
});

test('a client that does not read gets nothing until it has', async () => {
  const connection = connect();
  const channel = connection.channel();
  const queue = await declared(channel);
  await channel.call('basic.consume', { queue });
  connection.mayDeliver = false;
  await channel.call('confirm.select');
  channel.publish(queue, 'a');
  await channel.next('basic.ack');
  assert.equal(channel.end.describe().unacknowledged, 0);
  connection.drain();
  assert.equal(received(await channel.next('basic.deliver')).text, 'a');
  await channel.end.close();
});

test('an acknowledgement that does not come in time gives back just that message', async () => {
  const connection = connect();
  const channel = connection.channel();
  const timeout: FieldValue = { type: 'I', value: 50 };
  const queue = await declared(channel);
  await channel.call('basic.consume', {
    queue,
    consumerTag: 'slow',
    arguments: new Map([['x-consumer-timeout', timeout]]),
  });
  channel.publish(queue, 'a');
  assert.equal(received(await channel.next()).tag, 1);
  const second = connection.channel(2);
  await channel.call('basic.cancel', { consumerTag: 'slow' });
  await second.call('basic.consume', { queue });
  assert.deepEqual(received(await second.next()), { text: 'a', tag: 1, redelivered: true });
  // It comes late, and it is no mistake.
  await channel.send('basic.ack', { deliveryTag: 1 });
  await channel.end.close();
  await second.end.close();
});
