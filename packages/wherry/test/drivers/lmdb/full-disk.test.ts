import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ended, startChild } from './children.ts';
import { unboundedQueue } from '../../../src/testing/suite/fixture.ts';
import { Fixture } from './fixture.ts';

/** A limit on the size of files fills up in the middle of a write, as a disk does. */
const BLOCKS = 2_000;

test('G16 without room sends fail, nothing stored is lost, and the queue goes on', async (t) => {
  const fixture = await Fixture.create(t);
  await fixture.createQueue('queue');
  await fixture.driver.close();
  const { child, answer } = await startChild('fill', fixture.path, BLOCKS);
  const { stored, again, settled, ...rest } = answer as Record<string, number>;
  assert.ok(stored! > 100, `${stored} stored before it was full`);
  assert.deepEqual(rest, {
    code: 'STORAGE_FULL',
    retriable: true,
    isStorageError: true,
    ready: stored,
    bytes: stored! * 2_000,
  });
  assert.deepEqual([settled, again], [200, 20]);
  await ended(child);
  await fixture.reopen();
  const { ready, leased } = await fixture.driver.counts(unboundedQueue('queue', 1));
  assert.deepEqual([ready, leased], [stored! - 200 + 20, 0]);
});
