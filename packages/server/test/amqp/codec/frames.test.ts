import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AmqpSyntaxError, FramingError } from '../../../src/protocols/amqp/errors.ts';
import {
  decodeContentHeader,
  type Frame,
  FRAME,
  FrameDecoder,
  type FrameType,
  parseProtocolHeader,
  PROTOCOL_HEADER,
} from '../../../src/protocols/amqp/frames.ts';
import { bytes, channel } from './arbitraries.ts';

const FRAME_MAX = 4096;

const frame: fc.Arbitrary<Frame> = fc
  .tuple(fc.constantFrom<FrameType>(1, 2, 3, 8), channel, fc.oneof(bytes(40), bytes(FRAME_MAX)))
  .map(([type, number, payload]) => ({ type, channel: number, payload }));

function encode({ type, channel: number, payload }: Frame): Buffer {
  const start = Buffer.alloc(7);
  start.writeUInt8(type);
  start.writeUInt16BE(number, 1);
  start.writeUInt32BE(payload.length, 3);
  return Buffer.concat([start, payload, Buffer.from([206])]);
}

function drain(decoder: FrameDecoder): Frame[] {
  const frames: Frame[] = [];
  for (let next = decoder.next(); next !== null; next = decoder.next()) frames.push(next);
  return frames;
}

/** Cuts `stream` at places that the numbers choose, some of them twice. */
function cut(stream: Buffer, places: readonly number[]): Buffer[] {
  const ends = places.map((place) => place % (stream.length + 1)).toSorted((a, b) => a - b);
  // Copies: so none can be seen through another.
  return [0, ...ends].map((start, index) =>
    Buffer.from(stream.subarray(start, ends[index] ?? stream.length)),
  );
}

test('the same frames come of a stream however it is cut', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      fc.boolean(),
      (frames, places, drainsEach) => {
        const decoder = new FrameDecoder(FRAME_MAX);
        const found: Frame[] = [];
        for (const chunk of cut(Buffer.concat(frames.map(encode)), places)) {
          decoder.push(chunk);
          const one = drainsEach ? null : decoder.next();
          found.push(...(drainsEach ? drain(decoder) : one === null ? [] : [one]));
        }
        found.push(...drain(decoder));
        assert.deepEqual(found, frames);
      },
    ),
    { numRuns: 500 },
  );
});

test('byte by byte', () => {
  const frames: Frame[] = [1, 0, 300].map((length) => ({
    type: FRAME.body,
    channel: length,
    payload: Buffer.alloc(length, 7),
  }));
  const decoder = new FrameDecoder(FRAME_MAX);
  const found: Frame[] = [];
  for (const one of Buffer.concat(frames.map(encode))) {
    decoder.push(Buffer.from([one]));
    found.push(...drain(decoder));
  }
  assert.deepEqual(found, frames);
});

test('a payload that came in one chunk is a view of it', () => {
  const chunk = Buffer.concat([
    encode({ type: FRAME.body, channel: 1, payload: Buffer.from('one') }),
    encode({ type: FRAME.body, channel: 1, payload: Buffer.from('two') }),
  ]);
  const decoder = new FrameDecoder(FRAME_MAX);
  decoder.push(chunk);
  for (const { payload } of drain(decoder)) assert.equal(payload.buffer, chunk.buffer);
});

test('a frame that came in parts stays as it is when more comes', () => {
  const decoder = new FrameDecoder(FRAME_MAX);
  const first = encode({ type: FRAME.body, channel: 1, payload: Buffer.alloc(200, 1) });
  const second = encode({ type: FRAME.body, channel: 1, payload: Buffer.alloc(200, 2) });
  decoder.push(first.subarray(0, 100));
  assert.equal(decoder.next(), null);
  decoder.push(Buffer.concat([first.subarray(100), second.subarray(0, 50)]));
  const one = decoder.next();
  assert.equal(decoder.next(), null);
  decoder.push(second.subarray(50));
  const two = decoder.next();
  assert.deepEqual(one?.payload, Buffer.alloc(200, 1));
  assert.deepEqual(two?.payload, Buffer.alloc(200, 2));
});

test('the end of a frame is 206, its type one of four', () => {
  const good = encode({ type: FRAME.heartbeat, channel: 0, payload: Buffer.alloc(0) });
  assert.equal(good.toString('hex'), '08000000000000ce');
  for (const [at, value] of [
    [7, 0],
    [0, 0],
    [0, 4],
    [0, 65],
  ] as const) {
    const bad = Buffer.from(good);
    bad[at] = value;
    const decoder = new FrameDecoder(FRAME_MAX);
    decoder.push(bad);
    assert.throws(
      () => decoder.next(),
      (error) =>
        error instanceof FramingError && error.code === 501 && error.scope === 'connection',
    );
  }
});

test('a frame above the limit is refused as soon as its size is there', () => {
  const limit = new FrameDecoder(FRAME_MAX);
  // As RabbitMQ, 8 bytes above what the specification allows: many clients forget the overhead.
  limit.push(encode({ type: FRAME.body, channel: 1, payload: Buffer.alloc(FRAME_MAX) }));
  assert.equal(limit.next()?.payload.length, FRAME_MAX);
  for (const size of ['00001001', '7fffffff', 'ffffffff']) {
    const header = Buffer.from(`030001${size}`, 'hex');
    for (const parts of [[header], [header.subarray(0, 4), header.subarray(4)]]) {
      const decoder = new FrameDecoder(FRAME_MAX);
      assert.throws(() => {
        for (const part of parts) {
          decoder.push(part);
          assert.equal(decoder.next(), null);
        }
      }, /FRAME_ERROR - a frame of \d+ bytes is larger than frame_max, 4096/);
    }
  }
});

test('the limit changes with what the client agrees to', () => {
  const decoder = new FrameDecoder(FRAME_MAX);
  decoder.frameMax = 2 * FRAME_MAX;
  decoder.push(encode({ type: FRAME.body, channel: 1, payload: Buffer.alloc(FRAME_MAX + 9) }));
  assert.equal(decoder.next()?.payload.length, FRAME_MAX + 9);
});

test('an announced size takes no memory before the bytes are there', () => {
  const size = 128 * 1024 * 1024;
  const announced = Buffer.alloc(100);
  announced.writeUInt8(FRAME.body);
  announced.writeUInt32BE(size - 8, 3);
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 100 }, () => {
    const decoder = new FrameDecoder(size);
    decoder.push(announced);
    assert.equal(decoder.next(), null);
    return decoder;
  });
  assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
  assert.equal(decoders.length, 100);
});

test('the protocol header of 0-9-1, or of 0-9, and no other', () => {
  assert.equal(PROTOCOL_HEADER.toString('hex'), '414d515000000901');
  assert.ok(parseProtocolHeader(Buffer.from('414d515000000901', 'hex')));
  assert.ok(parseProtocolHeader(Buffer.from('414d515001010009', 'hex')));
  for (const other of [
    '414d515000000900',
    '414d515001010800',
    '414d515000010000',
    '474554202f20',
    '',
  ]) {
    assert.ok(!parseProtocolHeader(Buffer.from(other, 'hex')), other);
  }
});

test('a content header', () => {
  const payload = Buffer.from('003c 0000 0000000100000002 1000 02'.replaceAll(' ', ''), 'hex');
  const { properties, ...rest } = decodeContentHeader(payload);
  assert.deepEqual(rest, { classId: 60, bodySize: 2 ** 32 + 2 });
  assert.equal(properties.toString('hex'), '100002');
  assert.equal(properties.buffer, payload.buffer);
  const wrong = ['003c0001000000000000000000', '003c0000002000000000000000', '003c00000000', ''];
  for (const bad of wrong) {
    assert.throws(() => decodeContentHeader(Buffer.from(bad, 'hex')), AmqpSyntaxError, bad);
  }
});
