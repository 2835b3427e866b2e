import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NEVER } from '../../../src/core/driver.ts';
import { decodeRecord, encodeRecord, type StoredRecord } from '../../../src/drivers/lmdb/record.ts';

const time = fc.integer({ min: 0, max: 2 ** 48 - 2 });
const count = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const id = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((b) => Buffer.from(b).toString('hex'));
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constant('\ud800 half a pair'),
);

function plain<T>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(parts, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const record: fc.Arbitrary<StoredRecord> = fc
  .record({
    encoding: fc.constantFrom('json', 'text', 'bytes'),
    priority: fc.integer({ min: 0, max: 255 }),
    timestamp: time,
    availableAt: time.map((at) => Math.min(at, NEVER)),
    expiresAt: fc.option(time.filter((at) => at > 0)),
    retryCount: count,
    deliveryCount: count,
    bytes: count,
    id: fc.option(id),
    publishId: fc.option(id),
    suspect: fc.boolean(),
    damaged: fc.constant(false),
    blocksGroup: fc.boolean(),
    isReplaceable: fc.boolean(),
    properties: fc.option(plain({ contentType: text, correlationId: text })),
    groupId: fc.option(text),
    deduplicationId: fc.option(text),
    deaths: fc.array(plain({ queue: text, reason: fc.constant('expired'), time, count })),
    parked: fc.option(plain({ queue: text, reason: fc.constant('rejected') })),
    body: fc.oneof(text, fc.uint8Array({ maxLength: 300 })),
  })
  .map((all) => {
    if (typeof all.body === 'string') {
      return { ...all, encoding: all.encoding === 'bytes' ? 'text' : all.encoding };
    }
    return { ...all, encoding: 'bytes' };
  });

/** A copy with room for nothing else, as the store gives it back. */
function encoded(one: StoredRecord, queue: number, sequence: number): Buffer {
  const value = encodeRecord(one, queue, sequence);
  return Buffer.from(value.subarray(value.start, value.end));
}

test('a record comes back as it was written', () => {
  fc.assert(
    fc.property(record, count, time, (one, queue, sequence) => {
      const back = decodeRecord(encoded(one, queue, sequence), queue, sequence)!;
      const { body, ...rest } = back;
      const { body: expected, ...expectedRest } = one;
      assert.deepEqual(rest, expectedRest);
      assert.deepEqual(
        typeof body === 'string' ? body : [...body],
        typeof expected === 'string' ? expected : [...expected],
      );
    }),
    { numRuns: 500 },
  );
});

test('no flipped bit goes unseen', () => {
  const one = { ...fc.sample(record, { numRuns: 1, seed: 7 })[0]!, body: 'the body of a message' };
  const bytes = encoded({ ...one, encoding: 'text' }, 7, 9);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const back = decodeRecord(flipped, 7, 9);
    assert.ok(back === null || back.damaged, `bit ${bit}`);
  }
});

test('a damaged body is given back as the bytes that were found', () => {
  const [sample] = fc.sample(record, { numRuns: 1, seed: 7 });
  const bytes = encoded({ ...sample!, encoding: 'json', body: '{"a":1}' }, 1, 1);
  bytes[bytes.length - 1] = 0x7c;
  const back = decodeRecord(bytes, 1, 1)!;
  assert.equal(back.encoding, 'bytes');
  assert.equal(Buffer.from(back.body as Uint8Array).toString(), '{"a":1|');
});

test('a record under the key of another message or queue is damaged', () => {
  const [one] = fc.sample(record, { numRuns: 1, seed: 7 });
  const bytes = encoded(one!, 3, 5);
  assert.equal(decodeRecord(bytes, 3, 5)!.damaged, false);
  assert.equal(decodeRecord(bytes, 3, 6)!.damaged, true);
  assert.equal(decodeRecord(bytes, 4, 5)!.damaged, true);
});

test('what is no record is told apart, whatever it holds', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      const back = decodeRecord(Buffer.from(bytes), 1, 1);
      assert.ok(back === null || back.damaged);
    }),
    { numRuns: 2_000 },
  );
});
