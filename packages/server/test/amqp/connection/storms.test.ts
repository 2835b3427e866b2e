/** Crowds that come and go at once, and clients that stop in the middle of anything. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { connect as connectAmqplib } from 'amqplib';
import { PROTOCOL_HEADER } from '../../../src/protocols/amqp/frames.ts';
import { encodeMethod, type MethodArguments } from '../../../src/protocols/amqp/methods.ts';
import { startAmqp } from './amqp-fixture.ts';
import { helloOf } from './crowd.ts';
import { startMeasured } from './measured-broker.ts';
import { frameOf, RawClient } from './raw-client.ts';
import { standIns, until } from './stand-in-channel.ts';

const MIB = 2 ** 20;

function method<Name extends keyof MethodArguments>(
  channel: number,
  name: Name,
  args: Partial<MethodArguments[Name]>,
): Buffer {
  return frameOf(1, channel, encodeMethod(name, args));
}

const HELLO = helloOf(0);
const DECLARED = Buffer.concat([
  HELLO,
  method(1, 'channel.open', {}),
  method(1, 'queue.declare', { queue: '', exclusive: true }),
  method(1, 'basic.consume', { queue: '' }),
]);
/** How far the clients of a storm come before they drop their connection. */
const STAGES: readonly Buffer[] = [
  Buffer.alloc(0),
  PROTOCOL_HEADER.subarray(0, 5),
  PROTOCOL_HEADER,
  HELLO.subarray(0, 100),
  HELLO,
  DECLARED,
  DECLARED.subarray(0, -3),
  Buffer.concat([DECLARED, method(0, 'connection.close', { replyCode: 200 })]),
];

/** Connects so many clients at once; each says what its stage is, and is gone. */
async function storm(port: number, size: number): Promise<void> {
  const sockets: Socket[] = [];
  const ends = Array.from({ length: size }, async (_, i) => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.resume();
    socket.write(STAGES[i % STAGES.length]!);
  });
  await Promise.all(ends);
  // Some in the middle of an answer, half of them without a good-bye.
  for (const [i, socket] of sockets.entries()) {
    if (i % 2 === 0) socket.resetAndDestroy();
    else socket.destroy();
  }
}

test('storms of 1,000 connections: who publishes beside them notices nothing, nothing stays', async (t) => {
  const broker = await startMeasured({ amqp: { port: 0 } });
  const connection = await connectAmqplib(`amqp://127.0.0.1:${broker.port}`);
  t.after(async () => {
    await connection.close().catch(() => {});
    broker.stop();
  });
  const errors: unknown[] = [];
  connection.on('error', (error) => errors.push(error));
  const channel = await connection.createConfirmChannel();
  channel.on('error', (error) => errors.push(error));
  const { queue } = await channel.assertQueue('beside', { durable: true });
  const over = new AbortController();
  let published = 0;
  let slowest = 0;
  const publishing = (async (): Promise<void> => {
    while (!over.signal.aborted) {
      const begun = performance.now();
      channel.sendToQueue(queue, Buffer.from(String(published++)));
      await channel.waitForConfirms();
      slowest = Math.max(slowest, performance.now() - begun);
    }
  })();
  // Before the first, there is code that has never run.
  await storm(broker.port, 1_000);
  const first = await broker.measure();
  for (let i = 0; i < 2; i++) await storm(broker.port, 1_000);
  const then = await broker.measure();
  over.abort();
  await publishing;
  t.diagnostic(
    `${published} confirmed beside them, the slowest after ${Math.round(slowest)} ms; ` +
      `${Math.round((then.used - first.used) / MIB)} MiB more used`,
  );
  assert.deepEqual(errors, []);
  assert.equal((await channel.checkQueue(queue)).messageCount, published);
  assert.ok(published > 50 && slowest < 5_000, `${published}, ${slowest} ms`);
  assert.ok(then.used - first.used < 20 * MIB, `${then.used - first.used} bytes`);
});

test('a client that asks on and on and reads nothing is cut', async (t) => {
  const { create, made } = standIns();
  const limits = { unreadBytes: '16kb' };
  const { port, server } = await startAmqp(t, { limits }, create, { stallMax: 300 });
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  const [channel] = made as [(typeof made)[0]];
  let answered = 0;
  channel.work = () => {
    answered++;
    channel.host.writer.method(1, 'connection.blocked', { reason: 'x'.repeat(255) });
    channel.host.flush();
  };
  client.socket.pause();
  const ask = Buffer.concat(Array.from({ length: 1_000 }, () => method(1, 'basic.qos', {})));
  for (let i = 0; i < 100; i++) client.send(ask);
  await until(() => server.connections.size === 0, 'the connection is gone');
  assert.ok(answered < 100_000, 'it was not read on and on');
  assert.equal(channel.closes, 1);
});

test('one that reads slowly, but reads, is not cut', async (t) => {
  const { create, made } = standIns();
  const limits = { unreadBytes: '16kb' };
  const { port, server } = await startAmqp(t, { limits }, create, { stallMax: 400 });
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  const [channel] = made as [(typeof made)[0]];
  channel.work = () => {
    channel.host.writer.method(1, 'connection.blocked', { reason: 'x'.repeat(255) });
    channel.host.flush();
  };
  client.socket.pause();
  const ask = Buffer.concat(Array.from({ length: 1_000 }, () => method(1, 'basic.qos', {})));
  for (let i = 0; i < 100; i++) client.send(ask);
  // A little every 50 ms, for longer than one may read nothing.
  const end = Date.now() + 1_500;
  while (Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.socket.resume();
    await new Promise((resolve) => setImmediate(resolve));
    client.socket.pause();
  }
  assert.equal(server.connections.size, 1);
});

test('a client that goes while it is not read is noticed', async (t) => {
  const { create, made } = standIns();
  const { port, server } = await startAmqp(t, {}, create);
  const client = await RawClient.open(t, port, { tune: { heartbeat: 1 } });
  await client.openChannel(1);
  server.block('disk', 'low on disk');
  client.publish(1, 'q', Buffer.from('1'));
  await client.expect(0, 'connection.blocked');
  await until(() => server.connections.list()[0]!.state === 'blocked', 'it is not read');
  // What it has sent since lies before its end.
  client.publish(1, 'q', Buffer.from('2'));
  client.socket.destroy();
  await until(() => server.connections.size === 0, 'heartbeats do not reach it');
  assert.equal(made[0]!.closes, 1);
});

test('a client that has said all, and does not read what it gets, is let go', async (t) => {
  const { create, made } = standIns();
  const { port, server } = await startAmqp(t, {}, create);
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  const [{ host }] = made as [(typeof made)[0]];
  client.socket.pause();
  while (host.mayDeliver) {
    host.writer.deliver(1, 'c', 1, false, '', 'q');
    host.writer.content(1, Buffer.alloc(2), Buffer.alloc(100_000), host.frameMax);
    host.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
  // FIN, and its buffers stay full.
  client.socket.end();
  await until(() => server.connections.size === 0, 'the connection is gone');
  assert.equal(made[0]!.closes, 1);
});
