import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../src/testing/index.ts';

test('the clock stands still until it is moved', () => {
  const clock = new ManualClock(1_000);
  assert.equal(clock.now(), 1_000);
  clock.advance(5);
  assert.equal(clock.now(), 1_005);
  clock.advanceTo(2_000);
  assert.equal(clock.now(), 2_000);
});

test('it never goes back', () => {
  const clock = new ManualClock(1_000);
  assert.throws(() => clock.advanceTo(999), RangeError);
  assert.throws(() => clock.advance(-1), RangeError);
  assert.equal(clock.now(), 1_000);
});

test('timers fire in order of time, then of setting, each at its time', () => {
  const clock = new ManualClock(0);
  const fired: string[] = [];
  const note = (name: string) => () => fired.push(`${name} at ${clock.now()}`);
  clock.setTimer(note('late'), 30);
  clock.setTimer(note('first'), 10);
  clock.setTimer(note('second'), 10);
  clock.setTimer(note('never'), 31);
  clock.advance(30);
  assert.deepEqual(fired, ['first at 10', 'second at 10', 'late at 30']);
  assert.equal(clock.pendingTimers, 1);
});

test('a timer that a timer sets fires on the way', () => {
  const clock = new ManualClock(0);
  const times: number[] = [];
  const tick = (): void => {
    times.push(clock.now());
    clock.setTimer(tick, 10);
  };
  clock.setTimer(tick, 10);
  clock.advance(35);
  assert.deepEqual(times, [10, 20, 30]);
  assert.equal(clock.now(), 35);
});

test('a cancelled timer does not fire, nor does one before its time', () => {
  const clock = new ManualClock(0);
  let fired = 0;
  const count = (): void => {
    fired += 1;
  };
  clock.setTimer(count, 10).cancel();
  clock.setTimer(count, 10);
  clock.advance(9);
  assert.equal(fired, 0);
  clock.advance(1);
  assert.equal(fired, 1);
  clock.advance(100);
  assert.equal(fired, 1);
});

test('a timer beyond 2^31 - 1 ms comes early, as the contract says', () => {
  const clock = new ManualClock(0);
  let firedAt = -1;
  clock.setTimer(() => {
    firedAt = clock.now();
  }, 2 ** 40);
  clock.advance(2 ** 32);
  assert.equal(firedAt, 2 ** 31 - 1);
});

test('advanceAsync lets what a timer set off run before the next one', async () => {
  const clock = new ManualClock(0);
  const steps: string[] = [];
  const work = async (name: string): Promise<void> => {
    await Promise.resolve();
    await Promise.resolve();
    steps.push(`${name} at ${clock.now()}`);
    if (name === 'first') clock.setTimer(() => void work('chained'), 5);
  };
  clock.setTimer(() => void work('first'), 10);
  clock.setTimer(() => void work('second'), 20);
  await clock.advanceAsync(20);
  assert.deepEqual(steps, ['first at 10', 'chained at 15', 'second at 20']);
  assert.equal(clock.now(), 20);
});
