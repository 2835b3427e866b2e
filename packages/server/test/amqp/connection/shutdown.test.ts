import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBroker } from '../../broker.ts';
import { startAmqp } from './amqp-fixture.ts';
import { RawClient } from './raw-client.ts';
import { standIns, until } from './stand-in-channel.ts';

const FORCED = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";

test('a broker that closes tells its clients, and lets what they published be stored', async (t) => {
  const { create, made } = standIns();
  const { server, port } = await startAmqp(t, {}, create);
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
  const stranger = await RawClient.connect(t, port);
  const [{ host }] = made as [(typeof made)[0]];
  host.hold(1_000);
  const closed = server.close(10_000);
  // Nothing to lose.
  await stranger.closed();
  await assert.rejects(RawClient.connect(t, port), { code: 'ECONNREFUSED' });
  client.method(1, 'basic.qos');
  setTimeout(() => {
    host.writer.ack(1, 1, false);
    host.flush();
    host.release(1_000);
  }, 100);
  assert.deepEqual(await client.expect(1, 'basic.ack'), { deliveryTag: 1, multiple: false });
  await client.expectClose(320, FORCED);
  await closed;
  assert.deepEqual(made[0]!.seen, [], 'nothing more was taken');
  assert.equal(made[0]!.closes, 1);
});

test('clients that do not answer are cut at the deadline', async (t) => {
  const { create, made } = standIns();
  const { server, port } = await startAmqp(t, {}, create);
  const deaf = await RawClient.open(t, port);
  const stuck = await RawClient.open(t, port);
  await stuck.openChannel(1);
  made[0]!.host.hold(1);
  const begun = Date.now();
  await server.close(600);
  const took = Date.now() - begun;
  assert.ok(took < 2_000, `${took} ms`);
  for (const client of [deaf, stuck]) {
    const { replyText } = await client.expect(0, 'connection.close');
    assert.equal(replyText, FORCED);
    await client.closed();
  }
});

test('what a client had in hand is there again when the broker is back', async (t) => {
  const broker = await startBroker({ amqp: { port: 0 }, queues: [{ name: 'q' }] });
  t.after(() => broker.close());
  const client = await RawClient.open(t, broker.amqpPort!);
  await client.openChannel(1);
  client.publish(1, 'q', Buffer.from('abc'));
  client.method(1, 'basic.get', { queue: 'q' });
  await client.expect(1, 'basic.get-ok');
  client.socket.destroy();
  const ready = async (): Promise<number> => {
    const answer = await fetch(`${broker.url}/api/v1/queues/q`);
    return ((await answer.json()) as { ready: number }).ready;
  };
  const deadline = Date.now() + 5_000;
  while ((await ready()) !== 1) assert.ok(Date.now() < deadline, 'it was not given back');
});

test('a connection can be seen, and closed, from outside', async (t) => {
  const { server, port } = await startAmqp(t);
  const { connections } = server;
  const begun = Date.now();
  const client = await RawClient.open(t, port, {
    properties: { connection_name: 'billing', version: '1.2', platform: 'x'.repeat(1_000) },
  });
  await client.openChannel(3);
  const [info, ...others] = connections.list();
  assert.deepEqual(others, []);
  const { id, since, remotePort, bytesReceived, bytesSent, channels, ...rest } = info!;
  assert.deepEqual(rest, {
    protocol: 'amqp',
    remoteAddress: '127.0.0.1',
    state: 'running',
    user: 'guest',
    userKind: 'anonymous',
    vhost: '/',
    name: 'billing',
    product: 'raw',
    version: '1.2',
    heartbeat: 0,
    frameMax: 131_072,
    tls: null,
  });
  assert.equal(remotePort, client.socket.localPort);
  assert.ok(since >= begun - 1 && bytesReceived > 100 && bytesSent > 100);
  assert.deepEqual(
    channels.map(({ number, consumers }) => [number, consumers]),
    [[3, 0]],
  );
  assert.equal(connections.channels, 1);
  assert.equal(connections.close('amqp-999', 'no'), false);
  assert.equal(connections.close(id, 'Closed by an administrator'), true);
  await client.expectClose(320, 'CONNECTION_FORCED - Closed by an administrator');
  await until(() => connections.size === 0, 'it is gone from the list');
});

test('a port that is taken is a mistake of the configuration', async (t) => {
  const { port } = await startAmqp(t);
  await assert.rejects(startBroker({ amqp: { enabled: true, port } }), {
    code: 'CONFIG',
    message: new RegExp(
      `amqp\\.port is ${port}: another program listens there\\. ` +
        'Stop it, give another port, or amqp\\.enabled: false\\.',
    ),
  });
});
