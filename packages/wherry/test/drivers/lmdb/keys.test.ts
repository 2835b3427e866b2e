import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  expiryKeyMaker,
  get32,
  get48,
  memberKey,
  messageKeyMaker,
  orderOf,
  priorityOf,
  put32,
  put48,
  scheduledKeyMaker,
  SEQUENCE_LIMIT,
  sequenceOf,
  textKey,
} from '../../../src/drivers/lmdb/keys.ts';
import { afterPrefix } from '../../../src/drivers/lmdb/tables.ts';

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const sequence = fc.integer({ min: 0, max: SEQUENCE_LIMIT - 1 });
const priority = fc.integer({ min: 0, max: 255 });

test('numbers come back from bytes', () => {
  const bytes = Buffer.alloc(8);
  fc.assert(
    fc.property(u32, u48, (small, large) => {
      put32(bytes, small, 1);
      assert.equal(get32(bytes, 1), small);
      put48(bytes, large, 1);
      assert.equal(get48(bytes, 1), large);
    }),
  );
});

test('an order holds a priority and a sequence', () => {
  fc.assert(
    fc.property(priority, sequence, (high, low) => {
      const order = orderOf(high, low);
      assert.ok(Number.isSafeInteger(order));
      assert.deepEqual([priorityOf(order), sequenceOf(order)], [high, low]);
    }),
  );
});

/** Compares as tuples of numbers compare. */
function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((part, index) => part !== b[index]);
  return at < 0 ? 0 : Math.sign(a[at]! - b[at]!);
}

test('keys sort as what they hold', () => {
  const messageKey = messageKeyMaker();
  const scheduledKey = scheduledKeyMaker();
  const expiryKey = expiryKeyMaker();
  const three = fc.tuple(u32, priority, sequence);
  fc.assert(
    fc.property(
      three,
      three,
      fc.tuple(u32, u48, sequence),
      fc.tuple(u32, u48, sequence),
      (a, b, c, d) => {
        const key = Buffer.from(messageKey(...a));
        // The higher priority goes first.
        const [left, right] = [a, b].map(([queue, high, low]) => [queue, 255 - high, low]);
        assert.equal(Buffer.compare(key, messageKey(...b)), compare(left!, right!));
        const scheduled = Buffer.from(scheduledKey(...c));
        assert.equal(Buffer.compare(scheduled, scheduledKey(...d)), compare(c, d));
        const expiry = Buffer.from(expiryKey(c[1], c[0], c[2]));
        const expected = compare([c[1], c[0], c[2]], [d[1], d[0], d[2]]);
        assert.equal(Buffer.compare(expiry, expiryKey(d[1], d[0], d[2])), expected);
      },
    ),
  );
});

test('no text key begins another, and none is too long for LMDB', () => {
  const text = fc.string({ unit: 'binary', maxLength: 3_000 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const [one, other] = [textKey(1, a), textKey(1, b)];
      assert.ok(memberKey(one, 2 ** 48 - 1).length < 1_978);
      if (a !== b) assert.ok(!one.subarray(0, other.length).equals(other));
    }),
  );
});

test('the end of a prefix is behind all that begin with it', () => {
  const prefix = Buffer.from([0, 0, 255, 255]);
  const end = Buffer.from(afterPrefix(prefix));
  assert.ok(Buffer.compare(Buffer.concat([prefix, Buffer.alloc(20, 255)]), end) < 0);
  assert.ok(Buffer.compare(Buffer.from([0, 1, 0, 0]), end) >= 0);
});
