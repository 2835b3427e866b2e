/** What a client cannot do to the broker, or to others, by asking for much or reading little. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMethod, type MethodArguments } from '../../../src/protocols/amqp/methods.ts';
import { FRAME } from '../../../src/protocols/amqp/frames.ts';
import { tableOf } from '../../../src/protocols/amqp/table.ts';
import type { ChannelHost } from '../../../src/servers/amqp/contracts.ts';
import { startAmqp } from './amqp-fixture.ts';
import { frameOf, RawClient } from './raw-client.ts';
import { standIns, until } from './stand-in-channel.ts';

const MIB = 1024 * 1024;

test('gets that came together are not all answered to a client that does not read', async (t) => {
  const { port, server } = await startAmqp(t, { limits: { unreadBytes: '64kb' } });
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  client.method(1, 'queue.declare', { queue: 'q' });
  await client.expect(1, 'queue.declare-ok');
  client.publish(1, 'q', Buffer.alloc(4 * MIB));
  client.method(1, 'basic.qos');
  await client.expect(1, 'basic.qos-ok');
  client.socket.pause();
  const gets = Array.from({ length: 100 }, (_, i) => [
    frameOf(FRAME.method, 1, encodeMethod('basic.get', { queue: 'q' })),
    frameOf(FRAME.method, 1, encodeMethod('basic.reject', { deliveryTag: i + 1, requeue: true })),
  ]);
  client.send(Buffer.concat(gets.flat()));
  const [connection] = server.connections.all();
  await until(() => connection!.describe().bytesSent > MIB, 'something is sent');
  // By now all of them would have been worked on: others are served in between.
  const other = await RawClient.open(t, port);
  await other.openChannel(1);
  for (let i = 0; i < 10; i++) {
    other.method(1, 'queue.declare', { queue: 'q', passive: true });
    await other.expect(1, 'queue.declare-ok');
  }
  assert.ok(connection!.describe().bytesSent < 20 * MIB);
  let got = 0;
  client.socket.removeAllListeners('data');
  client.socket.on('data', (chunk: Buffer) => (got += chunk.length));
  client.socket.resume();
  await until(() => got > 400 * MIB, 'all is answered once the client reads');
});

test('frames that wait are worked on in several turns of the event loop', async (t) => {
  const { create, made } = standIns();
  const { port } = await startAmqp(t, {}, create);
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  made[0]!.work = () => {
    if (turns === 0) count();
    return Promise.resolve();
  };
  const frame = frameOf(FRAME.method, 1, encodeMethod('basic.qos', {}));
  client.send(Buffer.concat(Array.from({ length: 2_000 }, () => frame)));
  await until(() => made[0]!.seen.length === 2_000, 'all are worked on');
  isOver = true;
  assert.ok(turns >= 10, `${turns} turns`);
});

test('a client that reads slowly, and goes on reading, is not cut', async (t) => {
  const stallMax = 1_000;
  const limits = { unreadBytes: '64kb' } as const;
  const { create, made } = standIns();
  const { port, server } = await startAmqp(t, { limits }, create, { stallMax });
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  client.socket.removeAllListeners('data');
  client.socket.pause();
  made[0]!.host.writer.content(1, Buffer.alloc(2), Buffer.alloc(64 * MIB), 131_072);
  made[0]!.host.flush();
  const begun = Date.now();
  while (Date.now() - begun < 2.5 * stallMax) {
    client.socket.read();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(server.connections.size, 1);
  assert.ok(server.connections.all()[0]!.describe().bytesSent < 64 * MIB, 'it is still sent');
});

test('what asks to be told of the end too late is told at once', async (t) => {
  const { create, made } = standIns();
  const { port, server } = await startAmqp(t, {}, create);
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  client.socket.destroy();
  await until(() => server.connections.size === 0, 'it has ended');
  let isTold = false;
  made[0]!.host.onClose(() => void (isTold = true));
  await until(() => isTold, 'it is told');
});

test('a method may be no longer than 64 KiB, with all its arguments', async (t) => {
  const { port } = await startAmqp(t);
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  const declare = (bytes: number): void => {
    const table = tableOf({ 'x-note': 'n'.repeat(bytes) });
    client.method(1, 'queue.declare', { queue: 'q', arguments: table });
  };
  declare(60_000);
  await client.expect(1, 'queue.declare-ok');
  declare(66_000);
  const { replyCode, replyText, methodId } = await client.expect(1, 'channel.close');
  assert.deepEqual([replyCode, methodId], [406, 10]);
  assert.match(replyText, /it may have 65536$/);
});

test('of unfinished bodies and transactions, who has most of too much is closed', async (t) => {
  const limits = { bodyBytes: '1mb', inFlightBytes: '3mb' } as const;
  const { port } = await startAmqp(t, { limits });
  const begin = async (sizes: readonly number[]): Promise<RawClient> => {
    const client = await RawClient.open(t, port);
    for (const [i, size] of sizes.entries()) {
      await client.openChannel(i + 1);
      client.method(i + 1, 'basic.publish', { routingKey: 'q' });
      client.header(i + 1, size);
    }
    await client.openChannel(9);
    return client;
  };
  const modest = await begin([MIB / 2]);
  const greedy = await begin([MIB, MIB]);
  const last = await begin([]);
  last.method(9, 'queue.declare', { queue: 'q' });
  await last.expect(9, 'queue.declare-ok');
  last.method(9, 'tx.select');
  await last.expect(9, 'tx.select-ok');
  last.publish(9, 'q', Buffer.alloc(MIB));
  await greedy.expectClose(506, /^RESOURCE_ERROR - all connections .* limits\.inFlightBytes$/);
  for (const client of [modest, last]) {
    client.method(9, 'basic.qos');
    await client.expect(9, 'basic.qos-ok');
  }
  last.method(9, 'tx.commit');
  await last.expect(9, 'tx.commit-ok');
});

test('a connection counts its consumers until they end', async (t) => {
  const { create, made } = standIns();
  const { createChannel } = await import('../../../src/servers/amqp/messages/channel.ts');
  let host: ChannelHost | undefined;
  const { port } = await startAmqp(t, { amqp: { consumers: 5 } }, (number, given) => {
    host = given;
    return number === 9 ? create(number, given) : createChannel(number, given);
  });
  const client = await RawClient.open(t, port);
  for (const channel of [1, 2, 9]) await client.openChannel(channel);
  client.method(1, 'queue.declare', { queue: 'q' });
  await client.expect(1, 'queue.declare-ok');
  const consume = (channel: number, args: Partial<MethodArguments['basic.consume']> = {}): void =>
    client.method(channel, 'basic.consume', { queue: 'q', consumerTag: 'c', ...args });
  consume(1, { arguments: tableOf({ 'x-priority': 3, 'x-note': 'n' }) });
  await client.expect(1, 'basic.consume-ok');
  consume(2);
  await client.expect(2, 'basic.consume-ok');
  assert.equal(made[0]!.host.consumers.size, 2);
  const [first] = host!.vhost.queues.consumers('q');
  assert.deepEqual([...first!.request.arguments.keys()], ['x-priority'], 'the rest is not kept');
  client.method(1, 'basic.cancel', { consumerTag: 'c' });
  await client.expect(1, 'basic.cancel-ok');
  client.method(2, 'channel.close');
  await client.expect(2, 'channel.close-ok');
  assert.equal(host!.consumers.size, 0);
  for (let i = 0; i < 5; i++) host!.consumers.add({});
  consume(1);
  await client.expectClose(530, /maximum \(5\) of consumers per connection/);
});
