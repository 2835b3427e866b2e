import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AmqpSyntaxError } from '../../../src/protocols/amqp/errors.ts';
import {
  decodeProperties,
  encodeProperties,
  replaceProperties,
  scanProperties,
} from '../../../src/protocols/amqp/properties.ts';
import { decodeTable, encodeTable } from '../../../src/protocols/amqp/table.ts';
import { properties, table } from './arbitraries.ts';

test('properties come back as they were written, byte for byte', () => {
  fc.assert(
    fc.property(properties, (some) => {
      const raw = encodeProperties(some);
      assert.deepEqual(decodeProperties(raw), some);
      assert.deepEqual(encodeProperties(decodeProperties(raw)), raw);
    }),
    { numRuns: 500 },
  );
});

test('the scan finds what decoding finds', () => {
  fc.assert(
    fc.property(properties, (some) => {
      const raw = encodeProperties(some);
      const { headersStart, headersEnd, ...found } = scanProperties(raw);
      const { priority, expiration, deliveryMode, userId, replyTo } = some;
      assert.deepEqual(found, { priority, expiration, deliveryMode, userId, replyTo });
      if (some.headers === undefined) assert.deepEqual([headersStart, headersEnd], [-1, -1]);
      else assert.deepEqual(decodeTable(raw, headersStart, headersEnd), some.headers);
    }),
    { numRuns: 500 },
  );
});

test('a property list that ends too early or too late is refused by scan and decoding', () => {
  fc.assert(
    fc.property(properties, fc.nat(), (some, cut) => {
      const raw = encodeProperties(some);
      const shorter = raw.subarray(0, cut % raw.length);
      for (const wrong of [shorter, Buffer.concat([raw, Buffer.from([0])])]) {
        assert.throws(() => scanProperties(wrong), AmqpSyntaxError);
        assert.throws(() => decodeProperties(wrong), AmqpSyntaxError);
      }
    }),
  );
});

test('the flags are where the specification has them', () => {
  // content-type, headers {a: V}, delivery-mode, priority, timestamp, cluster-id
  const raw = Buffer.from(
    'b844 0161 00000003 0161 56 02 09 0000000065920080 0163'.replaceAll(' ', ''),
    'hex',
  );
  const decoded = {
    contentType: 'a',
    headers: new Map([['a', { type: 'V' } as const]]),
    deliveryMode: 2,
    priority: 9,
    timestamp: 1_704_067_200,
    clusterId: 'c',
  };
  assert.deepEqual(decodeProperties(raw), decoded);
  assert.deepEqual(encodeProperties(decoded), raw);
  assert.equal(encodeProperties({}).toString('hex'), '0000');
});

test('flags that no property has are refused; a second word without any is not', () => {
  for (const raw of ['0002', '00010002', '00018000', '000100018000', '0001', '80']) {
    assert.throws(() => decodeProperties(Buffer.from(raw, 'hex')), AmqpSyntaxError, raw);
    assert.throws(() => scanProperties(Buffer.from(raw, 'hex')), AmqpSyntaxError, raw);
  }
  assert.deepEqual(decodeProperties(Buffer.from('1001000002', 'hex')), { deliveryMode: 2 });
  assert.equal(scanProperties(Buffer.from('1001000002', 'hex')).deliveryMode, 2);
});

test('a view of other bytes is read like a Buffer of its own', () => {
  const raw = encodeProperties({ priority: 7, headers: new Map([['a', { type: 'V' }]]) });
  const around = new Uint8Array(raw.length + 8).fill(0xff);
  around.set(raw, 5);
  const view = around.subarray(5, 5 + raw.length);
  assert.equal(scanProperties(view).priority, 7);
  assert.equal(decodeProperties(view).headers?.size, 1);
});

test('a timestamp beyond what a double holds is read as the nearest', () => {
  const raw = Buffer.from('0040ffffffffffffffff', 'hex');
  assert.equal(decodeProperties(raw).timestamp, 2 ** 64);
  assert.deepEqual(scanProperties(raw), scanProperties(Buffer.from('0000', 'hex')));
});

test('headers are replaced, added and taken away, and the rest keeps its bytes', () => {
  fc.assert(
    fc.property(properties, fc.option(table), (some, headers) => {
      const replaced = replaceProperties(encodeProperties(some), { headers });
      const { headers: _, ...others } = some;
      const expected = headers === null ? others : { ...others, headers };
      assert.deepEqual(replaced, encodeProperties(expected));
    }),
  );
  // The timestamp is beyond what a double holds.
  const raw = Buffer.from('0040ffffffffffffff01', 'hex');
  const headers = new Map([['a', { type: 'V' } as const]]);
  assert.equal(
    replaceProperties(raw, { headers }).toString('hex'),
    `204000000003${encodeTable(headers).toString('hex')}ffffffffffffff01`,
  );
});

test('values outside their types are refused', () => {
  assert.throws(() => encodeProperties({ priority: 256 }), RangeError);
  assert.throws(() => encodeProperties({ timestamp: -1 }), RangeError);
  assert.throws(() => encodeProperties({ messageId: 'm'.repeat(256) }), RangeError);
});
