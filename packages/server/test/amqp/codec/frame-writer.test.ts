import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allocateContent, placesIn } from 'wherry';
import { ByteWriter } from '../../../src/protocols/amqp/byte-writer.ts';
import { FrameWriter } from '../../../src/protocols/amqp/frame-writer.ts';
import {
  decodeContentHeader,
  FRAME,
  type Frame,
  FrameDecoder,
} from '../../../src/protocols/amqp/frames.ts';
import { decodeMethod, encodeMethod } from '../../../src/protocols/amqp/methods.ts';
import { encodeProperties } from '../../../src/protocols/amqp/properties.ts';
import { bytes, channel, method, properties, shortstr } from './arbitraries.ts';

const FRAME_MAX = 131_072;

function framesOf(sent: Buffer): Frame[] {
  const decoder = new FrameDecoder(FRAME_MAX * 8);
  decoder.push(sent);
  const frames: Frame[] = [];
  for (let next = decoder.next(); next !== null; next = decoder.next()) frames.push(next);
  return frames;
}

test('a method becomes one frame', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(channel, method)), (sent) => {
      const writer = new FrameWriter();
      for (const [number, { name, args }] of sent) writer.method(number, name, args);
      const { length } = writer;
      const taken = writer.take();
      assert.equal(taken.length, length);
      assert.equal(writer.length, 0);
      const frames = framesOf(taken);
      assert.deepEqual(
        frames.map((frame) => [frame.channel, decodeMethod(frame.payload)]),
        sent,
      );
    }),
  );
});

test('deliver, ack and nack write what the table writes', () => {
  const tag = fc.maxSafeNat();
  const bit = fc.boolean();
  fc.assert(
    fc.property(channel, shortstr, tag, bit, bit, shortstr, shortstr, (...args) => {
      const [number, consumerTag, deliveryTag, flag, requeue, exchange, routingKey] = args;
      const direct = new FrameWriter();
      direct.deliver(number, consumerTag, deliveryTag, flag, exchange, routingKey);
      direct.ack(number, deliveryTag, flag);
      direct.nack(number, deliveryTag, flag, requeue);
      const table = new FrameWriter();
      const delivery = { consumerTag, deliveryTag, redelivered: flag, exchange, routingKey };
      table.method(number, 'basic.deliver', delivery);
      table.method(number, 'basic.ack', { deliveryTag, multiple: flag });
      table.method(number, 'basic.nack', { deliveryTag, multiple: flag, requeue });
      assert.deepEqual(direct.take(), table.take());
    }),
    { numRuns: 500 },
  );
});

test('what is delivered as it is stored is what is delivered in parts', () => {
  const bodies = fc.oneof(bytes(10), bytes(3_000));
  const max = fc.integer({ min: 9, max: 1_200 });
  fc.assert(
    fc.property(channel, shortstr, shortstr, shortstr, properties, bodies, max, (...args) => {
      const [number, consumerTag, exchange, routingKey, some, payload, frameMax] = args;
      const raw = encodeProperties(some);
      const inParts = new FrameWriter();
      inParts.deliver(number, consumerTag, 7, true, exchange, routingKey);
      inParts.content(number, raw, payload, frameMax);
      const { body, payloadAt } = allocateContent(exchange, routingKey, raw, payload.length);
      body.set(payload, payloadAt);
      const stored = new FrameWriter();
      stored.deliverStored(number, consumerTag, 7, true, body, placesIn(body), frameMax);
      assert.deepEqual(stored.take(), inParts.take());
    }),
    { numRuns: 500 },
  );
});

test('content is divided into frames that the client takes', () => {
  fc.assert(
    fc.property(
      channel,
      properties,
      fc.oneof(bytes(10), bytes(3_000)),
      fc.integer({ min: 9, max: 1_200 }),
      (number, some, body, frameMax) => {
        const raw = encodeProperties(some);
        const writer = new FrameWriter();
        writer.content(number, raw, body, frameMax);
        const [header, ...bodies] = framesOf(writer.take());
        const decoded = decodeContentHeader(header!.payload);
        assert.deepEqual(decoded, { classId: 60, bodySize: body.length, properties: raw });
        assert.deepEqual(Buffer.concat(bodies.map(({ payload }) => payload)), body);
        assert.equal(bodies.length, Math.ceil(body.length / (frameMax - 8)));
        for (const { type, channel: of, payload } of bodies) {
          assert.deepEqual([type, of], [FRAME.body, number]);
          assert.ok(payload.length > 0 && payload.length + 8 <= frameMax);
        }
      },
    ),
  );
});

test('the bytes of a small delivery, worked out by hand', () => {
  const writer = new FrameWriter();
  writer.deliver(1, 'c', 258, true, 'é', 'k');
  writer.content(1, encodeProperties({ deliveryMode: 2 }), Buffer.from('hi'), FRAME_MAX);
  writer.heartbeat();
  const expected = [
    // type, channel, size; basic.deliver; c; tag 258; redelivered; é; k; end
    '01 0001 00000014 003c003c 0163 0000000000000102 01 02c3a9 016b ce',
    // class 60, weight 0, two bytes; only delivery-mode
    '02 0001 0000000f 003c 0000 0000000000000002 1000 02 ce',
    '03 0001 00000002 6869 ce',
    '08 0000 00000000 ce',
  ];
  assert.equal(writer.take().toString('hex'), expected.join('').replaceAll(' ', ''));
});

test('an empty body has no frame', () => {
  const writer = new FrameWriter();
  writer.content(7, encodeProperties({}), Buffer.alloc(0), FRAME_MAX);
  assert.equal(writer.take().toString('hex'), '0200070000000e003c000000000000000000000000ce');
});

test('what was taken is never written again', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3_000 }), { minLength: 1, maxLength: 60 }), (sizes) => {
      const writer = new FrameWriter();
      const taken = sizes.map((size, index) => {
        writer.ack(1, index, false);
        writer.content(1, Buffer.from([0, 0]), Buffer.alloc(size, index), FRAME_MAX);
        return writer.take();
      });
      for (const [index, sent] of taken.entries()) {
        const [ack, , body] = framesOf(sent);
        const expected = encodeMethod('basic.ack', { deliveryTag: index });
        assert.deepEqual(ack!.payload, expected);
        assert.deepEqual(body?.payload ?? Buffer.alloc(0), Buffer.alloc(sizes[index]!, index));
      }
    }),
  );
});

test('many megabytes at once', () => {
  const writer = new FrameWriter();
  const body = Buffer.alloc(1_000_000, 5);
  for (let i = 0; i < 20; i++) writer.content(1, Buffer.from([0, 0]), body, FRAME_MAX);
  const bodies = framesOf(writer.take()).filter(({ type }) => type === FRAME.body);
  assert.equal(bodies.length, 20 * 8);
  assert.ok(bodies.every(({ payload }) => payload.every((one) => one === 5)));
});

test('a value that is refused leaves nothing behind', () => {
  const writer = new FrameWriter();
  writer.ack(1, 1, false);
  const long = 'é'.repeat(128);
  assert.throws(() => writer.deliver(1, long, 1, false, '', ''), RangeError);
  assert.throws(() => writer.deliver(1, '', 1, false, 'q'.repeat(256), ''), RangeError);
  assert.throws(
    () => writer.method(1, 'queue.declare-ok', { queue: 'q', messageCount: -1 }),
    RangeError,
  );
  assert.throws(() => writer.content(1, Buffer.alloc(2), Buffer.alloc(2), 8), RangeError);
  writer.ack(1, 2, false);
  const tags = framesOf(writer.take()).map(({ payload }) => decodeMethod(payload).args);
  assert.deepEqual(tags, [
    { deliveryTag: 1, multiple: false },
    { deliveryTag: 2, multiple: false },
  ]);
});

test('a writer that fell quiet keeps no large memory', () => {
  const writer = new ByteWriter();
  let largest = 0;
  for (let i = 0; i < 10; i++) {
    writer.raw(Buffer.alloc(20_000));
    writer.take();
    largest = Math.max(largest, writer.bytes.length);
  }
  assert.ok(largest >= 20_000);
  for (let i = 0; i < 20; i++) {
    writer.long(i);
    writer.take();
  }
  assert.ok(writer.bytes.length <= 1024, `${writer.bytes.length} bytes`);
});
