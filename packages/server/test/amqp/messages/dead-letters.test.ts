import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { plainTable, tableOf } from '../../../src/protocols/amqp/table.ts';
import { confirmed, declared, nextName, openForTests } from './helpers.ts';

const opened = openForTests();
const { connect } = opened;

test('priorities come first; an expired message is dead-lettered with its record', async () => {
  const channel = connect().channel();
  const dead = await declared(channel);
  const queue = await declared(channel, {
    'x-max-priority': 5,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': dead,
  });
  await channel.call('confirm.select');
  channel.publish(queue, 'low', { properties: { priority: 1 } });
  channel.publish(queue, 'high', { properties: { priority: 9 } });
  channel.publish(queue, 'short', { properties: { expiration: '1', priority: 5 } });
  await confirmed(channel, 3);
  await channel.call('basic.consume', { queue: dead, noAck: true });
  const { args, properties, payload } = await channel.next('basic.deliver');
  assert.equal(String(payload), 'short');
  assert.equal((args as { routingKey: string }).routingKey, dead);
  assert.equal(properties!.expiration, undefined);
  const { 'x-death': deaths, ...first } = plainTable(properties!.headers!);
  assert.deepEqual(first, {
    'x-first-death-exchange': '',
    'x-first-death-queue': queue,
    'x-first-death-reason': 'expired',
  });
  const [{ time, ...death }] = deaths as [Record<string, unknown>];
  assert.ok(Math.abs(Number(time) - Date.now() / 1_000) < 60);
  assert.deepEqual(
    { ...death },
    {
      count: 1,
      reason: 'expired',
      queue,
      exchange: '',
      'routing-keys': [queue],
      'original-expiration': '1',
    },
  );
  for (const text of ['high', 'low']) {
    await channel.send('basic.get', { queue, noAck: true });
    assert.equal(String((await channel.next('basic.get-ok')).payload), text);
  }
  await channel.end.close();
});

test('a message that comes back to its queue is counted on, also when a client sends it', async () => {
  const channel = connect().channel();
  const dead = await declared(channel);
  const queue = await declared(channel, {
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': dead,
  });
  await channel.call('basic.consume', { queue });
  await channel.call('basic.consume', { queue: dead, noAck: true, consumerTag: 'dead' });
  let properties: { headers?: ReturnType<typeof tableOf> } = {};
  for (const count of [1, 2, 3]) {
    channel.publish(queue, 'again', { properties });
    const { args } = await channel.next('basic.deliver');
    const { deliveryTag } = args as { deliveryTag: number };
    await channel.send('basic.reject', { deliveryTag, requeue: false });
    const died = await channel.next('basic.deliver');
    properties = { headers: died.properties!.headers! };
    const { 'x-death': deaths } = plainTable(properties.headers!);
    assert.deepEqual(
      (deaths as { count: number; reason: string }[]).map((one) => [one.count, one.reason]),
      [[count, 'rejected']],
    );
  }
  await channel.end.close();
});

test('a quorum queue counts deliveries, and gives up at its limit', async () => {
  const channel = connect().channel();
  const dead = await declared(channel);
  const queue = nextName();
  await channel.call('queue.declare', {
    queue,
    durable: true,
    arguments: tableOf({
      'x-queue-type': 'quorum',
      'x-delivery-limit': 1,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': dead,
    }),
  });
  await channel.call('basic.consume', { queue });
  await channel.call('basic.consume', { queue: dead, noAck: true, consumerTag: 'dead' });
  channel.publish(queue, 'poison');
  for (const count of [0, 1]) {
    const { args, properties } = await channel.next('basic.deliver');
    assert.equal(plainTable(properties!.headers!)['x-delivery-count'], count);
    const { deliveryTag } = args as { deliveryTag: number };
    await channel.send('basic.reject', { deliveryTag, requeue: true });
  }
  const { args, properties } = await channel.next('basic.deliver');
  assert.equal((args as { consumerTag: string }).consumerTag, 'dead');
  assert.equal(plainTable(properties!.headers!)['x-first-death-reason'], 'delivery_limit');
  await channel.end.close();
});
