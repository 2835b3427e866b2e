/** What a consumer that waits is given as it arrives, where the store is a folder. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AmqpVhost } from '../../../src/servers/amqp/contracts.ts';
import { confirmed, declared } from './helpers.ts';
import { openVhost, type RecordedChannel, RecordedConnection } from './recorded-channel.ts';

interface Opened {
  readonly vhost: AmqpVhost;
  readonly publisher: RecordedChannel;
  readonly consumer: RecordedChannel;
  /** The consumer's. */
  readonly connection: RecordedConnection;
  readonly queue: string;
}

/** @param args of the queue */
async function open(t: TestContext, args: Record<string, unknown> = {}): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-arrivals-'));
  const { broker, vhost, close } = await openVhost({}, `lmdb:${folder}`);
  t.after(async () => {
    await close();
    await rm(folder, { recursive: true });
  });
  const publisher = new RecordedConnection(broker, vhost).channel();
  const connection = new RecordedConnection(broker, vhost);
  const consumer = connection.channel();
  const queue = await declared(publisher, args);
  // The first message takes the store's first token, which takes a commit.
  const first = new RecordedConnection(broker, vhost).channel();
  await first.call('confirm.select');
  first.publish(queue, 'first');
  await confirmed(first, 1);
  await publisher.call('confirm.select');
  await consumer.send('basic.get', { queue, noAck: true });
  await consumer.next('basic.get-ok');
  return { vhost, publisher, consumer, connection, queue };
}

async function next(consumer: RecordedChannel): Promise<{ body: string; tag: number }> {
  const { args, payload } = await consumer.next('basic.deliver');
  return { body: String(payload), tag: (args as { deliveryTag: number }).deliveryTag };
}

/** Settlements that no client waits for are gathered for some milliseconds. */
async function expectCounts(vhost: AmqpVhost, queue: string, expected: number[]): Promise<void> {
  let counts: number[] = [];
  for (let i = 0; i < 100 && String(counts) !== String(expected); i++) {
    const { ready, leased } = await vhost.mq.getQueueInfo(queue);
    counts = [ready, leased];
    await sleep(10);
  }
  assert.deepEqual(counts, expected);
}

test('each in order, whatever is in hand, and each counted once', async (t) => {
  const { vhost, publisher, consumer, queue } = await open(t);
  await consumer.call('basic.qos', { prefetchCount: 3 });
  await consumer.call('basic.consume', { queue });
  await expectCounts(vhost, queue, [0, 0]);
  const { enqueued, acknowledged } = (await vhost.mq.getQueueInfo(queue)).counters;
  let published = 0;
  for (let seen = 0; seen < 300; seen++) {
    while (published < Math.min(300, seen + 1 + (seen % 7))) {
      publisher.publish(queue, String(published++));
    }
    const { body, tag } = await next(consumer);
    assert.equal(body, String(seen));
    await consumer.send('basic.ack', { deliveryTag: tag });
  }
  assert.ok((await confirmed(publisher, 300)).every((name) => name === 'basic.ack'));
  await consumer.end.close();
  await expectCounts(vhost, queue, [0, 0]);
  const after = (await vhost.mq.getQueueInfo(queue)).counters;
  assert.deepEqual([after.enqueued - enqueued, after.acknowledged - acknowledged], [300, 300]);
});

test('it has the message before the publisher has its confirm', async (t) => {
  const { publisher, consumer, queue } = await open(t);
  await consumer.call('basic.consume', { queue });
  const order: string[] = [];
  publisher.publish(queue, 'm');
  await Promise.all([
    next(consumer).then(() => order.push('delivered')),
    confirmed(publisher, 1).then(() => order.push('confirmed')),
  ]);
  assert.deepEqual(order, ['delivered', 'confirmed']);
});

test('what it does not acknowledge is there again when it has gone', async (t) => {
  const { vhost, publisher, consumer, queue } = await open(t);
  await consumer.call('basic.consume', { queue });
  for (const body of ['1', '2', '3']) publisher.publish(queue, body);
  const [one] = [await next(consumer), await next(consumer), await next(consumer)];
  await consumer.send('basic.ack', { deliveryTag: one.tag });
  await consumer.end.close();
  await confirmed(publisher, 3);
  await expectCounts(vhost, queue, [2, 0]);
});

test('without acknowledgements nothing stays', async (t) => {
  const { vhost, publisher, consumer, queue } = await open(t);
  await consumer.call('basic.consume', { queue, noAck: true });
  for (let i = 0; i < 50; i++) publisher.publish(queue, String(i));
  for (let i = 0; i < 50; i++) assert.equal((await next(consumer)).body, String(i));
  await confirmed(publisher, 50);
  await expectCounts(vhost, queue, [0, 0]);
});

test('of a bounded queue too, and what has no time to wait', async (t) => {
  const { publisher, consumer, queue } = await open(t, { 'x-max-length': 2 });
  await consumer.call('basic.consume', { queue });
  for (let i = 0; i < 20; i++) {
    publisher.publish(queue, String(i), i % 2 === 0 ? { properties: { expiration: '0' } } : {});
    const { body, tag } = await next(consumer);
    assert.equal(body, String(i));
    await consumer.send('basic.ack', { deliveryTag: tag });
  }
  assert.ok((await confirmed(publisher, 20)).every((name) => name === 'basic.ack'));
});

test('when it is cancelled it is given nothing more', async (t) => {
  const { vhost, publisher, consumer, queue } = await open(t);
  await consumer.call('basic.consume', { queue, consumerTag: 'c' });
  publisher.publish(queue, '1');
  const { tag } = await next(consumer);
  await consumer.call('basic.cancel', { consumerTag: 'c' });
  publisher.publish(queue, '2');
  await consumer.send('basic.ack', { deliveryTag: tag });
  await confirmed(publisher, 2);
  await expectCounts(vhost, queue, [1, 0]);
});

test('what a client could not read in time is not overtaken', async (t) => {
  const { publisher, consumer, connection, queue } = await open(t, { 'x-max-priority': 5 });
  await consumer.call('basic.consume', { queue });
  const { host } = connection;
  const flush = host.flush.bind(host);
  let flushes = 0;
  host.flush = () => {
    flush();
    if (++flushes === 3) connection.mayDeliver = false;
  };
  for (let i = 1; i <= 6; i++) publisher.publish(queue, String(i));
  while (connection.mayDeliver) await Promise.resolve();
  connection.drain();
  for (let i = 7; i <= 9; i++) publisher.publish(queue, String(i));
  for (let i = 1; i <= 9; i++) assert.equal((await next(consumer)).body, String(i));
});
