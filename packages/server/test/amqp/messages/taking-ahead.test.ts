import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { getMessages } from '../../../src/servers/amqp/administration/administered-messages.ts';
import { confirmed, declared, openForTests } from './helpers.ts';
import type { RecordedChannel } from './recorded-channel.ts';

const MESSAGES = 200;

const opened = openForTests();
const { connect } = opened;

interface Brisk {
  readonly channel: RecordedChannel;
  readonly queue: string;
  /** The message in hand: its number is its body. */
  readonly number: number;
  readonly tag: number;
}

/** A consumer of one message at a time, so brisk that messages lie ready for it. */
async function brisk(): Promise<Brisk> {
  const channel = connect().channel();
  const queue = await declared(channel);
  await channel.call('confirm.select');
  for (let i = 0; i < MESSAGES; i++) channel.publish(queue, String(i));
  await confirmed(channel, MESSAGES);
  await channel.call('basic.qos', { prefetchCount: 1 });
  await channel.call('basic.consume', { queue, consumerTag: 'brisk' });
  let tag = 0;
  for (let number = 0; number < MESSAGES - 10; number++) {
    if (tag > 0) await channel.send('basic.ack', { deliveryTag: tag });
    const { args, payload } = await channel.next('basic.deliver');
    assert.equal(String(payload), String(number));
    tag = (args as { deliveryTag: number }).deliveryTag;
    if (number > 0 && (await leased(queue)) > 2) return { channel, queue, number, tag };
  }
  throw new Error('nothing was taken ahead');
}

async function leased(queue: string): Promise<number> {
  return (await opened.vhost.mq.getQueueInfo(queue)).leased;
}

test('what lies ready for a brisk consumer is counted as waiting', async () => {
  const { channel, number, queue } = await brisk();
  const { args } = await channel.call('queue.declare', { queue, passive: true });
  assert.equal((args as { messageCount: number }).messageCount, MESSAGES - 1 - number);
  await channel.end.close();
});

test('it is purged', async () => {
  const { channel, number, queue, tag } = await brisk();
  const { args } = await channel.call('queue.purge', { queue });
  assert.equal((args as { messageCount: number }).messageCount, MESSAGES - 1 - number);
  await channel.send('basic.ack', { deliveryTag: tag });
  await channel.send('basic.get', { queue });
  assert.equal((await channel.next()).name, 'basic.get-empty');
  await channel.end.close();
});

test('who looks at the queue sees it', async () => {
  const { channel, number, queue } = await brisk();
  const options = { count: 2, bytesMax: 1_000, mode: 'requeue' } as const;
  const shown = await getMessages(opened.vhost, queue, options);
  const texts = shown.map(({ payload }) => String(payload));
  assert.deepEqual(texts, [String(number + 1), String(number + 2)]);
  await channel.end.close();
});

test('what is requeued comes before it, in its old place', async () => {
  const { channel, number, tag } = await brisk();
  await channel.send('basic.reject', { deliveryTag: tag, requeue: true });
  const again = await channel.next('basic.deliver');
  assert.equal(String(again.payload), String(number));
  assert.equal((again.args as { redelivered: boolean }).redelivered, true);
  const { deliveryTag } = again.args as { deliveryTag: number };
  await channel.send('basic.ack', { deliveryTag });
  assert.equal(String((await channel.next('basic.deliver')).payload), String(number + 1));
  await channel.end.close();
});

test('others may have it when the consumer wants no more for a moment', async () => {
  const { channel, number, queue } = await brisk();
  const deadline = Date.now() + 5_000;
  while ((await leased(queue)) > 1 && Date.now() < deadline) await sleep(20);
  assert.equal(await leased(queue), 1);
  await channel.end.close();
  assert.equal((await opened.vhost.mq.getQueueInfo(queue)).ready, MESSAGES - number);
});
