/** What many consumers of one queue cost, and whose turn it is when some have left. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ChannelState } from '../../../src/servers/amqp/messages/channel-state.ts';
import type { ChannelConsumer } from '../../../src/servers/amqp/messages/channel-consumer.ts';
import type { FeedConsumer } from '../../../src/servers/amqp/messages/feed-consumers.ts';
import type { QueueFeed } from '../../../src/servers/amqp/messages/queue-feed.ts';
import { until } from '../connection/stand-in-channel.ts';
import { openVhost, RecordedConnection } from './recorded-channel.ts';

class Taker implements FeedConsumer {
  readonly priority = 0;
  readonly shares = null;
  readonly inHand = 0;
  credit: number;
  got = 0;

  constructor(credit: number) {
    this.credit = credit;
  }

  deliver(): void {
    this.got++;
  }
}

async function open(t: TestContext): Promise<{ feed: QueueFeed; connection: RecordedConnection }> {
  const { broker, vhost, close } = await openVhost();
  t.after(close);
  const connection = new RecordedConnection(broker, vhost);
  await connection.channel(9).call('queue.declare', { queue: 'q' });
  return { feed: vhost.feeds.of('q'), connection };
}

test('who stays gets all, each as much as the others, when others leave', async (t) => {
  const { feed, connection } = await open(t);
  const takers = Array.from({ length: 6 }, () => new Taker(1_000));
  for (const taker of takers) feed.add(taker);
  const publish = (count: number): void => {
    for (let i = 0; i < count; i++) connection.channel(i + 10).publish('q', 'm');
  };
  const sum = (): number => takers.reduce((all, { got }) => all + got, 0);
  publish(60);
  await until(() => sum() === 60, 'the first are handed out');
  for (const taker of takers) assert.equal(taker.got, 10);
  for (const at of [0, 3, 3, 5]) feed.remove(takers[at]!);
  publish(30);
  await until(() => sum() === 90, 'the others are handed out');
  assert.deepEqual(
    takers.map(({ got }) => got),
    [10, 20, 20, 10, 20, 10],
  );
  for (const taker of takers) feed.remove(taker);
});

test('who is slow hoards nothing that another could do at once', async (t) => {
  const { connection } = await open(t);
  const [slow, quick] = [connection.channel(1), connection.channel(2)];
  for (const channel of [slow, quick]) {
    await channel.call('basic.qos', { prefetchCount: 10 });
    await channel.call('basic.consume', { queue: 'q' });
  }
  const got = new Map([slow, quick].map((channel) => [channel.number, 0]));
  for (let i = 0; i < 20; i++) {
    connection.channel(3).publish('q', 'm');
    await until(() => connection.sent.length === 1, 'it is handed out');
    const { args, channel } = connection.sent.pop()!;
    got.set(channel, got.get(channel)! + 1);
    if (channel === quick.number) await quick.send('basic.ack', args as { deliveryTag: number });
  }
  assert.deepEqual([...got.values()], [1, 19]);
});

test('50,000 consumers leave as fast as they came', async (t) => {
  const { feed } = await open(t);
  const takers = Array.from({ length: 50_000 }, () => new Taker(0));
  for (const taker of takers) feed.add(taker);
  const begun = performance.now();
  for (const taker of takers) feed.remove(taker);
  const took = performance.now() - begun;
  assert.ok(took < 500, `${took.toFixed()} ms`);
});

test('what a client acknowledges in one go wakes its consumers once', async (t) => {
  const { connection } = await open(t);
  const state = new ChannelState(1, connection.host);
  let wakes = 0;
  const consumer = { wake: () => wakes++ } as unknown as ChannelConsumer;
  state.consumers.set('c', consumer);
  for (let i = 0; i < 1_000; i++) state.wakeSoon();
  await Promise.resolve();
  assert.equal(wakes, 1);
  state.wakeSoon();
  await Promise.resolve();
  assert.equal(wakes, 2);
});
