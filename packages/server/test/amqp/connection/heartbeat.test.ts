import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startAmqp } from './amqp-fixture.ts';
import { frameOf, RawClient } from './raw-client.ts';
import { standIns, until } from './stand-in-channel.ts';

/** The shortest there is. */
const SECOND = { tune: { heartbeat: 1 } } as const;
const HEARTBEAT = frameOf(8, 0, Buffer.alloc(0));

// They wait most of the time.
describe('heartbeats', { concurrency: true }, () => {
  test('the broker is heard of, and cuts who is silent for two intervals, and only then', async (t) => {
    const { port, server } = await startAmqp(t);
    const silent = await RawClient.open(t, port, SECOND);
    const alive = await RawClient.open(t, port, SECOND);
    const without = await RawClient.open(t, port);
    const begun = Date.now();
    const beat = setInterval(() => alive.send(HEARTBEAT), 500);
    t.after(() => clearInterval(beat));
    await silent.heartbeats(2);
    await silent.closed();
    const took = Date.now() - begun;
    assert.ok(took >= 1_900 && took < 4_000, `cut after ${took} ms`);
    // Without a word: who is silent would not hear it.
    silent.expectNothing();
    await alive.openChannel(1);
    await without.openChannel(1);
    without.expectNothing();
    assert.equal(server.connections.size, 2);
  });

  test('whatever comes is a sign of life, and whatever goes is one too', async (t) => {
    const { create, made } = standIns();
    const { port } = await startAmqp(t, {}, create);
    const client = await RawClient.open(t, port, SECOND);
    await client.openChannel(1);
    const [channel] = made as [(typeof made)[0]];
    channel.work = () => {
      channel.host.writer.method(1, 'basic.qos-ok');
      channel.host.flush();
    };
    const begun = Date.now();
    let answers = 0;
    while (Date.now() - begun < 3_000) {
      client.method(1, 'basic.qos');
      await client.expect(1, 'basic.qos-ok');
      answers++;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(answers > 10);
    // The broker had always something to send: it needed no heartbeats.
    assert.equal(client.heartbeatCount, 0);
  });

  test('a client that the broker does not read is not taken for dead', async (t) => {
    const { create, made } = standIns();
    const { port } = await startAmqp(t, {}, create);
    const client = await RawClient.open(t, port, SECOND);
    await client.openChannel(1);
    const [{ host }] = made as [(typeof made)[0]];
    const held = 32 * 2 ** 20;
    host.hold(held);
    const begun = Date.now();
    // It is told all the while that the broker is there.
    await client.heartbeats(6);
    assert.ok(Date.now() - begun > 2_500);
    host.release(held);
    await client.openChannel(2);
  });

  test('a client whose machine is gone is noticed by its silence alone', async (t) => {
    const { create, made } = standIns();
    const { port, server } = await startAmqp(t, {}, create);
    const client = await RawClient.open(t, port, SECOND);
    await client.openChannel(1);
    // Neither a FIN nor a RST: the socket is open, and nothing comes or is read any more.
    client.socket.pause();
    await until(() => server.connections.size === 0, 'the connection is gone');
    assert.equal(made[0]!.closes, 1, 'what it had in hand goes back');
  });
});
