import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { messageIdMaker, parseMessageId, QUEUE_TAG_LIMIT } from '../../../src/core/message-id.ts';

const tag = fc.integer({ min: 0, max: QUEUE_TAG_LIMIT - 1 });
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });

test('an id is a UUIDv7 without dashes that tells its parts', () => {
  fc.assert(
    fc.property(tag, tag, u48, u48, (queueNumber, salt, timestamp, sequence) => {
      const id = messageIdMaker(queueNumber, salt)(timestamp, sequence);
      assert.match(id, /^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
      assert.deepEqual(parseMessageId(id, salt), { timestamp, queueNumber, sequence });
    }),
  );
});

test('neighbours differ, across the ends of a block and of a millisecond too', () => {
  const make = messageIdMaker(1, 2);
  const ids = new Set<string>();
  for (let sequence = 0; sequence < 1_000; sequence++) {
    ids.add(make(5, sequence));
    ids.add(make(6, sequence));
  }
  assert.equal(ids.size, 2_000);
});

test('ids of one queue are in the order of time, then of sequence', () => {
  const make = messageIdMaker(9, 8);
  const ids = [make(1, 255), make(1, 256), make(1, 70_000), make(2, 1), make(2 ** 40, 0)];
  assert.deepEqual(ids.toSorted(), ids);
});

test('what is no id has no parts', () => {
  const id = messageIdMaker(1, 1)(1, 1);
  const others = ['', 'x', id.toUpperCase() + ' ', id.slice(1), `${id}0`, id.replace('7', '4')];
  for (const other of others) assert.equal(parseMessageId(other, 1), null, other);
});
