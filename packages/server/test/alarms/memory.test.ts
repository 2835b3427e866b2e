/** Publishers are stopped before messages that are kept in memory are too many for it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect } from 'amqplib';
import { startMeasured } from '../amqp/connection/measured-broker.ts';

const MIB = 2 ** 20;
/** What a broker needs for itself, and some more. */
const LIMIT_MIB = 200;
const MESSAGES_MAX = 1_000;
const PATIENCE_MS = 20_000;

test('low on memory: publishers wait until consumers have made room', async (t) => {
  const broker = await startMeasured({
    amqp: { port: 0 },
    limits: { memory: `${LIMIT_MIB}mb` },
  });
  const url = `amqp://127.0.0.1:${broker.port}`;
  const publisher = await connect(url);
  const consumer = await connect(url);
  t.after(async () => {
    await Promise.all([publisher, consumer].map((one) => one.close().catch(() => {})));
    broker.stop();
  });
  const channel = await publisher.createConfirmChannel();
  await channel.assertQueue('large');
  const told = { signal: AbortSignal.timeout(2 * PATIENCE_MS) };
  const over = new AbortController();
  const blocked = once(publisher, 'blocked', told).then(([reason]: unknown[]) => {
    over.abort();
    return reason;
  });
  const body = Buffer.alloc(MIB, 'x');
  let stored = 0;
  for (let i = 0; i < MESSAGES_MAX && !over.signal.aborted; i++) {
    await new Promise<void>((resolve) => {
      // What is published during the alarm is confirmed when it is over.
      void blocked.then(() => resolve());
      channel.sendToQueue('large', body, {}, () => {
        stored++;
        resolve();
      });
    });
  }
  assert.equal(await blocked, 'low on memory');
  const { rss } = await broker.measure();
  t.diagnostic(`blocked with ${stored} messages of 1 MiB, ${Math.round(rss / MIB)} MiB resident`);
  assert.ok(stored > LIMIT_MIB / 10 && stored < 2 * LIMIT_MIB, `${stored} messages`);

  const unblocked = once(publisher, 'unblocked', told);
  const work = await consumer.createChannel();
  await work.prefetch(10);
  let consumed = 0;
  await work.consume('large', (message) => {
    consumed++;
    work.ack(message!);
  });
  await unblocked;
  await channel.waitForConfirms();
  assert.ok(consumed > stored / 4, `${consumed} of ${stored}`);
});
