import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lease } from '../../../src/drivers/lmdb/leases.ts';
import { decodeMark, encodeMark, type Mark } from '../../../src/drivers/lmdb/marks.ts';
import { QueueState } from '../../../src/drivers/lmdb/queue-state.ts';

const queue = new QueueState(7, 'queue', 0);

function lease(change: Partial<Lease>): Lease {
  return {
    id: '',
    sequence: 1,
    priority: 0,
    space: 0,
    due: 0,
    groupId: null,
    isHead: false,
    bytes: 0,
    expiry: null,
    hasIdEntry: false,
    queue,
    suspect: false,
    deliveryCount: 0,
    mark: null,
    consumerId: 'consumer',
    token: 1,
    until: 5_000,
    cause: null,
    isActive: true,
    ...change,
  };
}

function mark(...leases: readonly Lease[]): Mark {
  const fields = { number: 1, queue, consumerId: 'cönsumer', bound: true, leases: [...leases] };
  return { ...fields, active: 0, isStored: false };
}

test('a mark names each message that was handed out', () => {
  const leases = [
    lease({ sequence: 10, token: 2 ** 40 }),
    lease({ sequence: 11, token: 2 ** 40 + 1 }),
    lease({ sequence: 2 ** 44, token: 9, priority: 255, deliveryCount: 3 }),
    lease({ sequence: 4, token: 10, space: 2, groupId: 'gröup', until: Infinity }),
    lease({ sequence: 5, token: 11, space: 1, due: 2 ** 48 - 1 }),
    lease({ sequence: 6, token: 12, groupId: '' }),
  ];
  const stored = decodeMark(encodeMark(mark(...leases)))!;
  assert.deepEqual([stored.queue, stored.bound, stored.consumerId], [7, true, 'cönsumer']);
  assert.deepEqual(
    stored.entries,
    leases.map(({ space, priority, deliveryCount, sequence, token, until, due, groupId }) => ({
      space,
      priority,
      deliveryCount: deliveryCount + 1,
      sequence,
      token,
      until,
      due,
      groupId,
    })),
  );
});

test('a batch of neighbours takes no more room than one message', () => {
  const many = Array.from({ length: 500 }, (_, at) => lease({ sequence: at + 1, token: at + 1 }));
  assert.equal(encodeMark(mark(...many)).length, encodeMark(mark(many[0]!)).length);
});

test('leases that ended are left out', () => {
  const ended = lease({ sequence: 2, token: 2, isActive: false });
  const stored = decodeMark(encodeMark(mark(lease({}), ended, lease({ sequence: 3, token: 3 }))))!;
  assert.deepEqual(
    stored.entries.map(({ sequence }) => sequence),
    [1, 3],
  );
});

test('what the sweeper holds has ended for its consumer', () => {
  const stored = decodeMark(encodeMark(mark(lease({ cause: 'lease-expired', until: 9 }))))!;
  assert.equal(stored.entries[0]!.until, 0);
});

test('a damaged mark is told apart', () => {
  const bytes = encodeMark(mark(lease({})));
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Uint8Array.from(bytes);
    flipped[at]! ^= 4;
    assert.equal(decodeMark(flipped), undefined, `byte ${at}`);
  }
});
