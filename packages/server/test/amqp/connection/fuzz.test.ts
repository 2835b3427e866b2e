/** Sessions with mistakes in them: whatever comes, the broker has an answer, and goes on. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { FRAME, FrameDecoder, PROTOCOL_HEADER } from '../../../src/protocols/amqp/frames.ts';
import { decodeMethod, encodeMethod } from '../../../src/protocols/amqp/methods.ts';
import { tableOf } from '../../../src/protocols/amqp/table.ts';
import { numbersFrom, type RandomNumber } from '../random.ts';
import { startAmqp } from './amqp-fixture.ts';
import { frameOf, RawClient } from './raw-client.ts';
import { until } from './stand-in-channel.ts';

const SESSIONS = Number(process.env['WHERRY_TEST_AMQP_FUZZ'] ?? 300);
const AT_ONCE = 25;

function session(): Buffer[] {
  const method = (channel: number, payload: Buffer): Buffer =>
    frameOf(FRAME.method, channel, payload);
  const header = Buffer.from('003c00000000000000000003800004746578740000', 'hex').subarray(0, 19);
  const tune = { channelMax: 10, frameMax: 4_096, heartbeat: 0 };
  const headers = tableOf({ a: 1, b: 'x', c: [true, null], d: { e: 2.5 } });
  return [
    PROTOCOL_HEADER,
    method(
      0,
      encodeMethod('connection.start-ok', {
        clientProperties: tableOf({ capabilities: { 'basic.nack': true } }),
        response: Buffer.from('\0guest\0guest'),
      }),
    ),
    method(0, encodeMethod('connection.tune-ok', tune)),
    method(0, encodeMethod('connection.open', { virtualHost: '/' })),
    method(1, encodeMethod('channel.open', {})),
    method(1, encodeMethod('confirm.select', {})),
    method(1, encodeMethod('queue.declare', { queue: 'fuzz', arguments: headers })),
    method(
      1,
      encodeMethod('queue.bind', { queue: 'fuzz', exchange: 'amq.topic', routingKey: '#' }),
    ),
    method(1, encodeMethod('basic.publish', { exchange: 'amq.topic', routingKey: 'a.b' })),
    frameOf(FRAME.header, 1, header),
    frameOf(FRAME.body, 1, Buffer.from('abc')),
    method(1, encodeMethod('basic.consume', { queue: 'fuzz', consumerTag: 'c' })),
    method(1, encodeMethod('basic.ack', { deliveryTag: 1 })),
    method(1, encodeMethod('basic.get', { queue: 'fuzz' })),
    frameOf(FRAME.heartbeat, 0, Buffer.alloc(0)),
    method(1, encodeMethod('channel.close', { replyCode: 200, replyText: 'bye' })),
    method(0, encodeMethod('connection.close', { replyCode: 200, replyText: 'bye' })),
  ];
}

/** The session with one to four mistakes: bytes changed, frames lost, doubled, in another order. */
function damaged(random: RandomNumber): Buffer {
  const frames = session().map((frame) => Buffer.from(frame));
  for (let mistakes = 1 + random(4); mistakes > 0; mistakes--) {
    // The login is left alone more often than not: there is more behind it.
    const at =
      random(4) === 0 ? random(frames.length) : Math.min(4 + random(20), frames.length - 1);
    const frame = frames[at]!;
    const kind = random(6);
    if (kind === 0) frames.splice(at, 1);
    else if (kind === 1) frames.splice(at, 0, frame);
    else if (kind === 2) frames.push(frames.splice(at, 1)[0]!);
    else if (kind === 3) frames[at] = frame.subarray(0, random(frame.length + 1));
    else frame[random(frame.length)] = random(256);
    if (frames.length === 0) return Buffer.alloc(0);
  }
  return Buffer.concat(frames);
}

/** @returns the code that the broker closed with; null: it did not say */
async function play(port: number, bytes: Buffer): Promise<string | null> {
  const decoder = new FrameDecoder(2 ** 24);
  let said: string | null = null;
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
    socket.on('data', (chunk: Buffer) => {
      if (chunk.subarray(0, 4).toString('latin1') === 'AMQP') return;
      decoder.push(chunk);
      for (let frame = decoder.next(); frame !== null; frame = decoder.next()) {
        if (frame.type !== FRAME.method) continue;
        const { name, args } = decodeMethod(frame.payload);
        if (name === 'connection.close') said = `${args.replyCode} ${args.replyText}`;
      }
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve());
  });
  return said;
}

test('no session is a surprise, and none is left over', async (t) => {
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  const random = numbersFrom(seed);
  const { port, server } = await startAmqp(t);
  const codes = new Map<string, number>();
  for (let played = 0; played < SESSIONS; played += AT_ONCE) {
    const all = Array.from({ length: AT_ONCE }, () => damaged(random));
    const said = await Promise.all(all.map((bytes) => play(port, bytes)));
    for (const [i, one] of said.entries()) {
      assert.ok(!one?.startsWith('541'), `${one} for ${all[i]!.toString('hex')}`);
      const code = one?.slice(0, 3) ?? 'none';
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(codes)));
  assert.ok(codes.size > 4, 'different mistakes have different codes');
  await until(() => server.connections.size === 0, 'all are gone');
  const client = await RawClient.open(t, port);
  await client.openChannel(1);
});
