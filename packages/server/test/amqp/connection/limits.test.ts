/** What strangers can do before they log in, and what a crowd costs. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FRAME } from '../../../src/protocols/amqp/frames.ts';
import { startAmqp } from './amqp-fixture.ts';
import { Crowd } from './crowd.ts';
import { type MeasuredBroker, startMeasured } from './measured-broker.ts';
import { frameOf, RawClient } from './raw-client.ts';
import { until } from './stand-in-channel.ts';

const KIB = 1_024;

let measured: Promise<MeasuredBroker>;

before(() => {
  measured = startMeasured({ amqp: { port: 0 } });
});
after(async () => (await measured).stop());

test('a frame of 4 GiB before the login is refused, and nothing is allocated for it', async (t) => {
  const { port, measure } = await measured;
  const attack = async (): Promise<void> => {
    const client = await RawClient.connect(t, port);
    client.greet();
    await client.expect(0, 'connection.start');
    client.send(Buffer.from([FRAME.method, 0, 0, 0xff, 0xff, 0xff, 0xff, 0]));
    await client.closed();
    client.expectNothing();
  };
  await attack();
  const at = await measure();
  for (let i = 0; i < 50; i++) await attack();
  const then = await measure();
  const each = (then.used - at.used) / 50;
  t.diagnostic(`${Math.round(each)} bytes stay of each`);
  assert.ok(each < 64 * KIB, `${each} bytes of each`);
});

test('before the login no frame is longer than 8 KiB', async (t) => {
  const { port } = await startAmqp(t);
  const fits = await RawClient.connect(t, port);
  fits.greet();
  await fits.expect(0, 'connection.start');
  fits.startOk({ properties: { filler: 'x'.repeat(7_000) } });
  await fits.expect(0, 'connection.tune');
  const client = await RawClient.connect(t, port);
  client.greet();
  await client.expect(0, 'connection.start');
  client.startOk({ properties: { filler: 'x'.repeat(9_000) } });
  await client.closed();
  client.expectNothing();
});

test('a login that is not finished in time is cut, however busy it looks', async (t) => {
  const { port } = await startAmqp(t, { amqp: { handshakeTimeout: 300 } });
  const silent = await RawClient.connect(t, port);
  const half = await RawClient.connect(t, port);
  half.send('AMQP');
  const greeted = await RawClient.connect(t, port);
  greeted.greet();
  const tuned = await RawClient.connect(t, port);
  await tuned.logIn();
  // A byte at a time of a frame that would be whole after two seconds.
  const dripping = await RawClient.connect(t, port);
  dripping.greet();
  const begun = Date.now();
  const drip = setInterval(() => dripping.send(Buffer.of(1)), 20);
  const bytes = frameOf(FRAME.method, 0, Buffer.alloc(100));
  dripping.send(bytes.subarray(0, 7));
  t.after(() => clearInterval(drip));
  const clients = [silent, half, greeted, tuned, dripping];
  await Promise.all(clients.map((client) => client.closed()));
  const took = Date.now() - begun;
  assert.ok(took < 2_000, `${took} ms`);
  // Who was in time stays.
  const open = await RawClient.open(t, port);
  await new Promise((resolve) => setTimeout(resolve, 400));
  await open.openChannel(1);
});

test('more connections than allowed are refused at once, and there is room when one goes', async (t) => {
  const { port, server } = await startAmqp(t, { amqp: { connections: 3 } });
  const clients = [];
  for (let i = 0; i < 3; i++) clients.push(await RawClient.open(t, port));
  const refused = await RawClient.connect(t, port);
  refused.greet();
  await refused.closed();
  refused.expectNothing();
  clients[0]!.socket.destroy();
  await until(() => server.connections.size === 2, 'one is gone');
  const next = await RawClient.open(t, port);
  await next.openChannel(1);
});

test('bodies that are begun and not finished are limited over all channels', async (t) => {
  const { port } = await startAmqp(t, { limits: { bodyBytes: '1mb' } });
  const client = await RawClient.open(t, port);
  const channels = 6;
  for (let channel = 1; channel <= channels; channel++) {
    client.method(channel, 'channel.open');
    client.method(channel, 'basic.publish', { routingKey: 'q' });
    client.header(channel, KIB * KIB);
  }
  for (let channel = 1; channel <= 5; channel++) await client.expect(channel, 'channel.open-ok');
  await client.expectClose(506, /^RESOURCE_ERROR - bodies of 5242880 bytes .* at most 4194304/);
});

/** Seconds. Agreed on far longer ones, a crowd costs less by as much. */
const HEARTBEAT = 2;

test('2,000 connections with heartbeats are cheap, and others log in beside them', async (t) => {
  const { port, measure } = await measured;
  const size = 2_000;
  const at = await measure();
  const crowd = await Crowd.open(port, size, HEARTBEAT);
  t.after(() => crowd.leave());
  const then = await measure();
  const each = (then.used - at.used) / size;
  const eachRss = (then.rss - at.rss) / size;
  t.diagnostic(
    `${(each / KIB).toFixed(1)} KiB used, ${(eachRss / KIB).toFixed(1)} KiB resident for each`,
  );
  assert.ok(each < 40 * KIB, `${each} bytes for each`);
  const begun = Date.now();
  const one = await RawClient.open(t, port);
  await one.openChannel(1);
  assert.ok(Date.now() - begun < 1_000);

  // Longer than a client that says nothing is let live.
  const beats = crowd.beats;
  const [idle, from] = [await measure(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, 2.5 * HEARTBEAT * 1_000));
  const [later, to] = [await measure(), performance.now()];
  const share = ((later.cpu - idle.cpu) * 1_000) / (to - from);
  const heard = crowd.beats - beats;
  t.diagnostic(
    `${(share * 100).toFixed(1)} % of a processor with a heartbeat of ${HEARTBEAT} s, ` +
      `${heard} were heard of the broker`,
  );
  assert.ok(share < 0.5, `${share} of a processor`);
  assert.equal(crowd.closed, 0);
  assert.ok(heard >= 2 * size && heard < 8 * size, `${heard} heartbeats`);
});
