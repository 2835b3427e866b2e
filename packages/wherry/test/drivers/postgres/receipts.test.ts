import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageError } from '../../../src/core/errors.ts';
import { messageIdMaker } from '../../../src/core/message-id.ts';
import { eachProven } from '../../../src/drivers/postgres/receipts.ts';
import { unboundedQueue } from '../../../src/testing/suite/fixture.ts';

const queue = unboundedQueue('queue', 1);
const idOf = messageIdMaker(queue.number, 7);
const receipts = [1, 2].map((n) => ({ queue, id: idOf(1_000, n), token: 2_048 + n }));
const busy = new StorageError('No connection became free.', { code: 'STORAGE_BUSY' });

/** @param notFound by the first call; the second fails */
function failingLater(notFound: readonly number[]): () => Promise<readonly number[]> {
  let calls = 0;
  return async () => {
    calls += 1;
    if (calls > 1) throw busy;
    return notFound;
  };
}

test('when a part took effect and the rest failed, nobody is told that nothing happened', async () => {
  const partly = eachProven({ receipts, salt: 7, call: failingLater([1]) });
  await assert.rejects(partly, (error: StorageError) => {
    assert.equal(error.code, 'STORAGE_CONNECTION');
    assert.equal(error.cause, busy);
    return true;
  });
  // The first call found none of them.
  await assert.rejects(eachProven({ receipts, salt: 7, call: failingLater([1, 2]) }), busy);
});
