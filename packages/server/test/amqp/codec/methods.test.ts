import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  AmqpError,
  AmqpSyntaxError,
  UnknownMethodError,
} from '../../../src/protocols/amqp/errors.ts';
import { METHODS } from '../../../src/protocols/amqp/method-table.ts';
import {
  decodeMethod,
  encodeMethod,
  hasContent,
  methodIds,
} from '../../../src/protocols/amqp/methods.ts';
import { methodOf } from './arbitraries.ts';

for (const spec of METHODS) {
  test(`${spec.name} comes back as it was written, byte for byte`, () => {
    fc.assert(
      fc.property(methodOf(spec), (method) => {
        const payload = encodeMethod(method.name, method.args);
        const back = decodeMethod(payload);
        assert.deepEqual(back, method);
        assert.deepEqual(encodeMethod(back.name, back.args), payload);
      }),
      { numRuns: 40 },
    );
  });
}

test('what ends too early, and what ends too late, is a syntax error that names the method', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...METHODS).chain((spec) => methodOf(spec)),
      fc.nat(),
      (method, cut) => {
        const payload = encodeMethod(method.name, method.args);
        const isSyntaxError = (error: unknown): boolean =>
          error instanceof AmqpSyntaxError &&
          error.code === 502 &&
          error.scope === 'connection' &&
          error.message.startsWith(`SYNTAX_ERROR - ${method.name}: `) &&
          error.method?.classId === methodIds(method.name).classId &&
          error.method.methodId === methodIds(method.name).methodId;
        assert.throws(
          () => decodeMethod(Buffer.concat([payload, Buffer.from([0])])),
          isSyntaxError,
        );
        const length = 4 + (cut % Math.max(payload.length - 4, 1));
        if (length < payload.length) {
          assert.throws(() => decodeMethod(payload.subarray(0, length)), isSyntaxError);
        }
      },
    ),
  );
});

test('a frame too short for the number of a method is a syntax error', () => {
  for (const length of [0, 1, 2, 3]) {
    assert.throws(() => decodeMethod(Buffer.alloc(length)), AmqpSyntaxError);
  }
});

test('a number that no method has is answered with 540 and that number', () => {
  assert.throws(
    () => decodeMethod(Buffer.from('003c03e7', 'hex')),
    (error) => {
      assert.ok(error instanceof UnknownMethodError && error instanceof AmqpError);
      assert.equal(error.code, 540);
      assert.equal(error.scope, 'connection');
      assert.deepEqual(error.method, { classId: 60, methodId: 999 });
      assert.equal(
        error.message,
        'NOT_IMPLEMENTED - there is no method 999 of class 60 in AMQP 0-9-1',
      );
      return true;
    },
  );
});

test('what is not given takes the default of the specification', () => {
  const reject = decodeMethod(encodeMethod('basic.reject', { deliveryTag: 3 }));
  assert.deepEqual(reject, { name: 'basic.reject', args: { deliveryTag: 3, requeue: true } });
  const start = decodeMethod(encodeMethod('connection.start', {}));
  assert.ok(start.name === 'connection.start');
  assert.equal(start.args.versionMinor, 9);
  assert.equal(start.args.mechanisms.toString(), 'PLAIN');
  assert.equal(start.args.locales.toString(), 'en_US');
  assert.equal(start.args.serverProperties.size, 0);
});

test('values outside their types are refused, not cut', () => {
  const refused = (encode: () => unknown): void => assert.throws(encode, RangeError);
  refused(() => encodeMethod('queue.declare', { queue: 'q'.repeat(256) }));
  // 128 characters, 256 bytes.
  refused(() => encodeMethod('queue.declare', { queue: 'é'.repeat(128) }));
  refused(() => encodeMethod('basic.qos', { prefetchCount: 65_536 }));
  refused(() => encodeMethod('basic.qos', { prefetchCount: -1 }));
  refused(() => encodeMethod('basic.qos', { prefetchCount: 1.5 }));
  refused(() => encodeMethod('basic.ack', { deliveryTag: 2 ** 53 }));
  refused(() => encodeMethod('basic.ack', { deliveryTag: -1 }));
  const longest = encodeMethod('queue.declare', { queue: 'é'.repeat(127) });
  assert.equal((decodeMethod(longest).args as { queue: string }).queue, 'é'.repeat(127));
});

test('a number above 2^53 and a name that is not UTF-8 are syntax errors', () => {
  const ack = '003c0050';
  const largest = decodeMethod(Buffer.from(`${ack}001fffffffffffff00`, 'hex'));
  assert.deepEqual(largest.args, { deliveryTag: Number.MAX_SAFE_INTEGER, multiple: false });
  assert.throws(() => decodeMethod(Buffer.from(`${ack}002000000000000000`, 'hex')), {
    message: 'SYNTAX_ERROR - basic.ack: a number of 64 bits is above 9007199254740991',
  });
  // basic.cancel of the consumer tag ff
  assert.throws(() => decodeMethod(Buffer.from('003c001e01ff00', 'hex')), {
    message: 'SYNTAX_ERROR - basic.cancel: a short string is not UTF-8',
  });
});

test('the replacement character itself is UTF-8', () => {
  const payload = encodeMethod('basic.cancel', { consumerTag: '\ufffd' });
  assert.equal((decodeMethod(payload).args as { consumerTag: string }).consumerTag, '\ufffd');
});

test('of the bits that no argument has, none counts', () => {
  assert.deepEqual(decodeMethod(Buffer.from('003c0050000000000000000dff', 'hex')).args, {
    deliveryTag: 13,
    multiple: true,
  });
});

test('content follows what carries messages', () => {
  assert.ok(hasContent('basic.publish'));
  assert.ok(!hasContent('basic.get'));
});
