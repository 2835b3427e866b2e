import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { plainTable } from '../../../src/protocols/amqp/table.ts';
import { confirmed, declared, openForTests } from './helpers.ts';
import type { RecordedChannel } from './recorded-channel.ts';

const opened = openForTests();
const { connect } = opened;

/** @returns a channel with confirms, the queue, and a queue for what dies in it */
async function bounded(
  args: Record<string, unknown>,
): Promise<{ channel: RecordedChannel; queue: string; dead: string }> {
  const channel = connect().channel();
  const dead = await declared(channel);
  const queue = await declared(channel, {
    ...args,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': dead,
  });
  await channel.call('confirm.select');
  return { channel, queue, dead };
}

/** @returns what is in the queue, with the reasons of the last deaths */
async function drained(channel: RecordedChannel, queue: string): Promise<[string, unknown][]> {
  const found: [string, unknown][] = [];
  for (;;) {
    await channel.send('basic.get', { queue, noAck: true });
    const { name, payload, properties } = await channel.next();
    if (name === 'basic.get-empty') return found;
    const deaths = plainTable(properties?.headers ?? new Map())['x-death'] as
      | [{ reason: string }]
      | undefined;
    found.push([String(payload), deaths?.[0].reason]);
  }
}

const cases: readonly {
  readonly name: string;
  readonly args: Record<string, unknown>;
  readonly bodies: readonly string[];
  readonly answers: readonly string[];
  readonly left: readonly string[];
  readonly dead: readonly string[];
}[] = [
  {
    name: 'reject-publish-dlx refuses a message and dead-letters it',
    args: { 'x-max-length': 1, 'x-overflow': 'reject-publish-dlx' },
    bodies: ['a', 'b'],
    answers: ['basic.ack', 'basic.nack'],
    left: ['a'],
    dead: ['b'],
  },
  {
    name: 'reject-publish refuses a message, and that is all',
    args: { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
    bodies: ['a', 'b'],
    answers: ['basic.ack', 'basic.nack'],
    left: ['a'],
    dead: [],
  },
  {
    name: 'a message larger than the bound is its own head, and dies',
    args: { 'x-max-length-bytes': 3 },
    bodies: ['abcd', 'abc'],
    answers: ['basic.ack', 'basic.ack'],
    left: ['abc'],
    dead: ['abcd'],
  },
  {
    name: 'a queue of length 0 refuses everything',
    args: { 'x-max-length': 0, 'x-overflow': 'reject-publish' },
    bodies: ['a'],
    answers: ['basic.nack'],
    left: [],
    dead: [],
  },
  {
    name: 'a queue of length 0 drops what nobody waits for',
    args: { 'x-max-length': 0 },
    bodies: ['a'],
    answers: ['basic.ack'],
    left: [],
    dead: ['a'],
  },
];

for (const { name, args, bodies, answers, left, dead } of cases) {
  test(name, async () => {
    const opening = await bounded(args);
    const { channel, queue } = opening;
    for (const body of bodies) channel.publish(queue, body);
    assert.deepEqual(await confirmed(channel, bodies.length), answers);
    const withReason = (reason: string | undefined) => (body: string) => [body, reason];
    assert.deepEqual(await drained(channel, queue), left.map(withReason(undefined)));
    assert.deepEqual(await drained(channel, opening.dead), dead.map(withReason('maxlen')));
    await channel.end.close();
  });
}

test('without any time to live, only who waits gets a message', async () => {
  const { channel, queue, dead } = await bounded({ 'x-message-ttl': 0 });
  channel.publish(queue, 'nobody waits');
  await confirmed(channel, 1);
  assert.deepEqual(await drained(channel, dead), [['nobody waits', 'expired']]);
  const consumer = connect().channel();
  await consumer.call('basic.consume', { queue, noAck: true });
  channel.publish(queue, 'somebody waits');
  assert.equal(String((await consumer.next('basic.deliver')).payload), 'somebody waits');
  await channel.end.close();
  await consumer.end.close();
});

for (const isDeadLettered of [false, true]) {
  test(`what goes back puts out what is too much, ${isDeadLettered ? '' : 'not '}dead-lettered`, async () => {
    const args = { 'x-max-length': 1 };
    const channel = connect().channel();
    const dead = await declared(channel);
    const toDead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead };
    const queue = await declared(channel, isDeadLettered ? { ...args, ...toDead } : args);
    channel.publish(queue, 'first');
    await channel.send('basic.get', { queue });
    await channel.next('basic.get-ok');
    channel.publish(queue, 'second');
    await channel.send('basic.nack', { deliveryTag: 1, requeue: true });
    assert.deepEqual(await drained(channel, queue), [['second', undefined]]);
    assert.deepEqual(await drained(channel, dead), isDeadLettered ? [['first', 'maxlen']] : []);
    await channel.end.close();
  });
}
