/** Order on a channel, and what is stopped when somebody is too slow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AmqpError } from '../../../src/protocols/amqp/errors.ts';
import { startAmqp } from './amqp-fixture.ts';
import { RawClient } from './raw-client.ts';
import { standIns, until } from './stand-in-channel.ts';

test('what comes behind a method waits for it, on its channel only', async (t) => {
  const { create, made } = standIns();
  const { port } = await startAmqp(t, {}, create);
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  await client.openChannel(2);
  const [slow, quick] = made as [(typeof made)[0], (typeof made)[0]];
  let finish = (): void => {};
  slow.work = ({ name }) =>
    name === 'queue.declare' ? new Promise((resolve) => (finish = resolve)) : undefined;
  client.method(1, 'queue.declare', { queue: 'slow' });
  client.publish(1, 'q', Buffer.from('abc'));
  client.method(1, 'channel.flow', { active: false });
  client.method(2, 'queue.declare', { queue: 'quick' });
  await until(() => quick.seen.length === 1, 'the other channel goes on');
  assert.deepEqual(slow.seen, ['queue.declare']);
  finish();
  assert.deepEqual(await client.expect(1, 'channel.flow-ok'), { active: false });
  assert.deepEqual(slow.seen, ['queue.declare', 'basic.publish', 'header', 'body 3']);
  assert.deepEqual(slow.flows, [false]);
});

test('a rejection closes its channel, or the connection when it is none of ours', async (t) => {
  const { create, made } = standIns();
  const { port } = await startAmqp(t, {}, create);
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  await client.openChannel(2);
  made[0]!.work = () => Promise.reject(new AmqpError('not-found', "no queue 'q' in vhost '/'"));
  client.method(1, 'queue.purge', { queue: 'q' });
  client.method(1, 'queue.purge', { queue: 'q' });
  const { replyCode, replyText, classId, methodId } = await client.expect(1, 'channel.close');
  assert.deepEqual([replyCode, classId, methodId], [404, 50, 30]);
  assert.equal(replyText, "NOT_FOUND - no queue 'q' in vhost '/'");
  assert.deepEqual([made[0]!.seen.length, made[0]!.closes], [1, 1]);
  made[1]!.work = () => {
    throw new TypeError('secrets of the inside');
  };
  client.method(2, 'queue.purge', { queue: 'q' });
  await client.expectClose(541, 'INTERNAL_ERROR - unexpected error');
  await until(() => made.every(({ closes }) => closes === 1), 'each channel is closed once');
});

test('an error outside of any method closes the channel, or the connection', async (t) => {
  const { create, made } = standIns();
  const { port } = await startAmqp(t, {}, create);
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  const { host } = made[0]!;
  host.fail(new AmqpError('precondition-failed', 'too late'), 1);
  const { classId, methodId } = await client.expect(1, 'channel.close');
  assert.deepEqual([classId, methodId], [0, 0]);
  const ended: string[] = [];
  host.onClose(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    ended.push('slowly');
  });
  host.onClose(() => {
    throw new Error('must not keep the others from being called');
  });
  host.onClose(() => void ended.push('at once'));
  host.onClose(() => void ended.push('never'))();
  client.method(0, 'connection.close', { replyCode: 200 });
  await client.expect(0, 'connection.close-ok');
  assert.deepEqual(ended, ['at once', 'slowly'], 'before the client is told');
});

test('much that waits on a channel stops the reading, and nothing of it is lost', async (t) => {
  const { create, made } = standIns();
  const { port, server } = await startAmqp(t, {}, create);
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  const [channel] = made as [(typeof made)[0]];
  let finish = (): void => {};
  channel.work = ({ name }) =>
    name === 'queue.declare' ? new Promise((resolve) => (finish = resolve)) : undefined;
  client.method(1, 'queue.declare', { queue: 'slow' });
  const body = Buffer.alloc(100_000);
  const count = 400;
  for (let i = 0; i < count; i++) client.publish(1, 'q', body);
  await until(() => client.socket.writableLength > 0, 'the client cannot get rid of it all');
  // So much fits into the buffers of both sockets, but not 40 MB.
  const bytesReceived = await settled(() => server.connections.list()[0]!.bytesReceived);
  assert.ok(bytesReceived < 8 * 2 ** 20, `${bytesReceived} bytes were read`);
  finish();
  await until(() => channel.seen.length === 1 + 3 * count, 'all is worked on');
});

test('publishes that are not stored yet stop the reading, and go on when they are', async (t) => {
  const { create, made } = standIns();
  const limits = { inFlightBytes: '1mb' };
  const { port } = await startAmqp(t, { limits }, create);
  const client = await RawClient.open(t, port);
  const other = await RawClient.open(t, port);
  await client.openChannel(1);
  await other.openChannel(1);
  const [own, others] = made as [(typeof made)[0], (typeof made)[0]];
  own.host.hold(17 * 2 ** 20);
  others.host.hold(1);
  client.method(1, 'basic.qos');
  other.method(1, 'basic.qos');
  // A connection that is read answers this; these two are not.
  const third = await RawClient.open(t, port);
  await third.openChannel(1);
  assert.deepEqual([own.seen, others.seen], [[], []]);
  own.host.release(17 * 2 ** 20);
  await until(() => own.seen.length + others.seen.length === 2, 'both are read again');
  others.host.release(1);
});

test('a client that does not read is sent nothing more until it does', async (t) => {
  const { create, made } = standIns();
  const { port } = await startAmqp(t, { limits: { unreadBytes: '64kb' } }, create);
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  const [{ host }] = made as [(typeof made)[0]];
  client.socket.pause();
  let drains = 0;
  host.onDrain(() => drains++);
  let sent = 0;
  while (host.mayDeliver) {
    host.writer.deliver(1, 'c', sent + 1, false, '', 'q');
    host.writer.content(1, Buffer.alloc(2), Buffer.alloc(10_000), host.frameMax);
    sent++;
    host.flush();
    if (sent % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  // What the system takes for a client that does not read, and 64 KB of ours.
  assert.ok(sent > 6 && sent < 2_000, `${sent} messages of 10 kB`);
  assert.equal(drains, 0);
  client.socket.resume();
  await until(() => drains > 0, 'the client has read most of it');
  assert.ok(host.mayDeliver);
  for (let i = 0; i < sent; i++) {
    await client.expect(1, 'basic.deliver');
    await client.next();
    await client.next();
  }
});

test('a client that asks on and on, and does not read, is not read either', async (t) => {
  const { create, made } = standIns();
  const { port } = await startAmqp(t, { limits: { unreadBytes: '16kb' } }, create);
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  const [channel] = made as [(typeof made)[0]];
  channel.work = () => {
    const { writer } = channel.host;
    writer.method(1, 'connection.blocked', { reason: 'x'.repeat(255) });
    channel.host.flush();
  };
  client.socket.pause();
  // Their answers are more than a kernel keeps for a client that does not read: 32 MiB, where it may.
  const asks = 200_000;
  const ask = Buffer.concat(Array.from({ length: 1_000 }, () => QOS));
  for (let i = 0; i < asks / 1_000; i++) client.send(ask);
  await until(() => channel.seen.length > 0, 'the first is answered');
  const answered = await settled(() => channel.seen.length);
  assert.ok(answered < asks, `${answered} of ${asks} were answered`);
  client.socket.resume();
  await until(() => channel.seen.length === asks, 'all are answered when the client reads');
});

/** basic.qos on channel 1. */
const QOS = Buffer.from([1, 0, 1, 0, 0, 0, 11, 0, 60, 0, 10, 0, 0, 0, 0, 0, 0, 0, 206]);

test('alarm: publishers are told and then not read, everybody else goes on', async (t) => {
  const { create, made } = standIns();
  const { port, server } = await startAmqp(t, {}, create);
  const publisher = await RawClient.open(t, port);
  const consumer = await RawClient.open(t, port);
  const simple = await RawClient.open(t, port, { capabilities: {} });
  for (const client of [publisher, consumer, simple]) await client.openChannel(1);
  const [ofPublisher, ofConsumer, ofSimple] = made;
  publisher.publish(1, 'q', Buffer.from('1'));
  await until(() => ofPublisher!.seen.length === 3, 'the publish has come');

  server.block('disk', 'low on disk');
  assert.deepEqual(await publisher.expect(0, 'connection.blocked'), { reason: 'low on disk' });
  // It may still do everything else.
  publisher.method(1, 'basic.qos');
  await until(() => ofPublisher!.seen.length === 4, 'what is no publish goes on');
  publisher.publish(1, 'q', Buffer.from('2'));
  simple.publish(1, 'q', Buffer.from('2'));
  consumer.method(1, 'basic.qos');
  await until(() => ofConsumer!.seen.length === 1, 'who does not publish goes on');
  const states = (): string[] => server.connections.list().map(({ state }) => state);
  await until(() => states().join() === 'blocked,running,blocked', 'both are not read');
  assert.ok(!ofPublisher!.seen.includes('body 2'));
  const late = await RawClient.open(t, port);
  await late.openChannel(1);
  late.publish(1, 'q', Buffer.from('2'));
  assert.deepEqual(await late.expect(0, 'connection.blocked'), { reason: 'low on disk' });

  server.block('other', 'another reason');
  server.unblock('disk');
  server.unblock('never given');
  assert.equal(states().filter((state) => state === 'blocked').length, 3);
  server.unblock('other');
  for (const client of [publisher, late]) await client.expect(0, 'connection.unblocked');
  await until(
    () => ofPublisher!.seen.length === 7 && ofSimple!.seen.length === 3,
    'what was sent meanwhile has come',
  );
  consumer.expectNothing();
  simple.expectNothing();
});

test('publishers are told when the broker is short of memory for long', async (t) => {
  const { create, made } = standIns();
  const { port } = await startAmqp(t, { limits: { inFlightBytes: '1mb' } }, create);
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  const [channel] = made as [(typeof made)[0]];
  client.publish(1, 'q', Buffer.from('1'));
  await until(() => channel.seen.length === 3, 'the publish has come');
  // For a moment: nobody is told.
  channel.host.hold(2 ** 21);
  channel.host.release(2 ** 21);
  channel.host.hold(2 ** 21);
  const begun = Date.now();
  assert.deepEqual(await client.expect(0, 'connection.blocked'), { reason: 'low on memory' });
  assert.ok(Date.now() - begun > 900);
  channel.host.release(2 ** 21);
  await client.expect(0, 'connection.unblocked');
  client.publish(1, 'q', Buffer.from('2'));
  await until(() => channel.seen.length === 6, 'the next publish has come');
});

/** @returns the number once it has not changed for a while */
async function settled(read: () => number): Promise<number> {
  let last = -1;
  let since = 0;
  await until(() => {
    if (read() !== last) [last, since] = [read(), Date.now()];
    return Date.now() - since > 200;
  }, 'the number does not change any more');
  return last;
}
