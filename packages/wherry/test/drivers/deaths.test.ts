import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendDeath, DEATH_LIMITS } from '../../src/core/deaths.ts';
import type { Death } from '../../src/core/message.ts';

test('equal queue and reason are one entry, counted, the latest at the end', () => {
  const first = appendDeath([], { queue: 'a', reason: 'rejected', error: 'one', stack: 's' }, 1);
  const second = appendDeath(first, { queue: 'a', reason: 'expired' }, 2);
  const third = appendDeath(second, { queue: 'b', reason: 'rejected' }, 3);
  const last = appendDeath(third, { queue: 'a', reason: 'rejected', error: 'two' }, 4);
  assert.deepEqual(last, [
    { queue: 'a', reason: 'expired', time: 2, count: 1 },
    { queue: 'b', reason: 'rejected', time: 3, count: 1 },
    { queue: 'a', reason: 'rejected', time: 4, count: 2, error: 'two' },
  ]);
  assert.equal(first[0]?.count, 1, 'the record before is not changed');
});

test('the oldest entry is dropped beyond the limit', () => {
  let deaths: readonly Death[] = [];
  for (let index = 0; index < DEATH_LIMITS.entriesMax + 3; index += 1) {
    deaths = appendDeath(deaths, { queue: `q${index}`, reason: 'rejected' }, index);
  }
  assert.equal(deaths.length, DEATH_LIMITS.entriesMax);
  assert.equal(deaths[0]?.queue, 'q3');
  const [one, two] = appendDeath(deaths, { queue: 'x', reason: 'invalid' }, 99, { entriesMax: 2 });
  assert.deepEqual([one?.queue, two?.queue], [`q${DEATH_LIMITS.entriesMax + 2}`, 'x']);
});
