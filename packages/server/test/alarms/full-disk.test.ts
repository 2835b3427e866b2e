/** Publishers are stopped before a real disk is full, and when it is. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ChannelModel, connect } from 'amqplib';
import { MessageQueueSystem } from 'wherry';
import { LoopImage } from '../../../wherry/test/faults/loop-image.ts';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { Client } from '../client.ts';
import { parseMetrics } from '../telemetry/prometheus.ts';

const MIB = 2 ** 20;
const PATIENCE_MS = 20_000;

interface Disk {
  readonly broker: Broker;
  readonly http: Client;
  /** Leaves so much free. */
  readonly fill: (leave: number) => void;
  readonly empty: () => void;
}

async function startOnDisk(t: TestContext, diskFree: string): Promise<Disk> {
  const image = LoopImage.create(t, 'ext4', 64 * MIB);
  const filler = join(image.folder, 'filler');
  const store = join(image.folder, 'store');
  const broker = await startBroker({
    store,
    amqp: { port: 0 },
    limits: { diskFree },
    queues: [{ name: 'orders' }],
  });
  t.after(() => broker.close({ deadline: 0 }));
  const fill = (leave: number): void => {
    const { bavail, bsize } = statfsSync(image.folder);
    writeFileSync(filler, Buffer.alloc(bavail * bsize - leave));
  };
  const empty = (): void => rmSync(filler);
  return { broker, http: new Client(broker), fill, empty };
}

async function connectTo(t: TestContext, { amqpPort }: Broker): Promise<ChannelModel> {
  const connection = await connect(`amqp://127.0.0.1:${amqpPort}`);
  connection.on('error', () => {});
  t.after(() => connection.close().catch(() => {}));
  return connection;
}

/** Waits for an event of a connection. @returns its first argument */
async function told(connection: ChannelModel, event: 'blocked' | 'unblocked'): Promise<unknown> {
  const [first] = (await once(connection, event, {
    signal: AbortSignal.timeout(PATIENCE_MS),
  })) as unknown[];
  return first;
}

async function alarmShown({ url }: Broker, kind: string): Promise<number | undefined> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const samples = parseMetrics(page).get('wherry_alarm')!.samples;
  return samples.find(({ labels }) => labels['kind'] === kind)?.value;
}

test('low on disk: publishers wait, consumers go on, and with room all goes on', async (t) => {
  const { broker, http, fill, empty } = await startOnDisk(t, '16mb');
  const publisher = await connectTo(t, broker);
  const channel = await publisher.createConfirmChannel();
  channel.sendToQueue('orders', Buffer.from('1'));
  await channel.waitForConfirms();
  assert.equal(await alarmShown(broker, 'disk'), 0);

  const blocked = told(publisher, 'blocked');
  fill(8 * MIB);
  assert.equal(await blocked, 'low on disk');
  let isConfirmed = false;
  channel.sendToQueue('orders', Buffer.from('2'), {}, () => (isConfirmed = true));

  const refused = await http.ask('POST', 'queues/orders/messages', { payload: 3 });
  assert.deepEqual(
    [refused.status, refused.headers.get('retry-after'), refused.body['code']],
    [503, '5', 'OVERLOADED'],
  );
  const program = await MessageQueueSystem.open({ storage: broker.url });
  t.after(() => program.close());
  await assert.rejects(program.sendMessage('orders', { payload: 4 }), { code: 'OVERLOADED' });
  assert.match(String(refused.body['detail']), /^\d MiB are free .* limits\.diskFree is 16 MiB/);
  const { body } = await http.ask<{ alarms: object[] }>('GET', 'overview');
  const alarm = { kind: 'disk', vhost: null, queue: null, detail: refused.body['detail'] };
  assert.deepEqual(body.alarms, [alarm]);
  assert.equal(await alarmShown(broker, 'disk'), 1);
  const health = await fetch(`${broker.url}/api/health/checks/alarms`);
  assert.equal(health.status, 503);

  const consumer = await (await connectTo(t, broker)).createChannel();
  const message = await consumer.get('orders');
  assert.ok(message);
  assert.equal(message.content.toString(), '1');
  consumer.ack(message);
  assert.equal(isConfirmed, false);

  const unblocked = told(publisher, 'unblocked');
  empty();
  await unblocked;
  await channel.waitForConfirms();
  const sent = await http.ask('POST', 'queues/orders/messages', { payload: 3 });
  assert.equal(sent.status, 201);
  await program.sendMessage('orders', { payload: 4 });
  const { body: queue } = await http.ask('GET', 'queues/orders');
  assert.equal(queue['ready'], 3, 'what was published meanwhile, and what was sent again');
});

test('a store that has no room: what it refuses is nacked, then publishers wait', async (t) => {
  const { broker, http, fill, empty } = await startOnDisk(t, '0');
  const publisher = await connectTo(t, broker);
  const channel = await publisher.createConfirmChannel();
  fill(MIB);
  const blocked = told(publisher, 'blocked');
  const outcomes: boolean[] = [];
  for (let i = 0; i < 100; i++) {
    channel.sendToQueue('orders', Buffer.alloc(64 * 1_024), {}, (error) => {
      outcomes.push(error === null);
    });
  }
  assert.equal(await blocked, 'the store is full');
  const refused = await http.ask('POST', 'queues/orders/messages', { payload: 1 });
  assert.equal(refused.status, 503);
  assert.match(String(refused.body['detail']), /has no room on its disk/);
  assert.ok(outcomes.includes(false), 'some were nacked');
  const unblocked = told(publisher, 'unblocked');
  empty();
  await unblocked;
  await channel.waitForConfirms().catch(() => {});
  channel.sendToQueue('orders', Buffer.from('last'));
  await channel.waitForConfirms();
  assert.equal(outcomes.length, 100, 'each was answered');
  const stored = outcomes.filter(Boolean).length;
  const { body: queue } = await http.ask('GET', 'queues/orders');
  assert.equal(queue['ready'], stored + 1);

  // What is refused as one of many is noticed too.
  fill(MIB);
  const payload = 'x'.repeat(64 * 1_024);
  const messages = Array.from({ length: 100 }, () => ({ payload }));
  let isRefused = false;
  // The store's file has some room of its own.
  for (let i = 0; i < 10 && !isRefused; i++) {
    const { body: answer } = await http.ask('POST', 'queues/orders/messages/batch', { messages });
    isRefused = JSON.stringify(answer).includes('STORAGE_FULL');
  }
  assert.ok(isRefused);
  assert.equal(await alarmShown(broker, 'store-full'), 1);
});
