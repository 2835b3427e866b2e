import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ValidationError } from '../../../src/index.ts';
import { Ticks, type Timing, parseCron } from '../../../src/core/schedules/ticks.ts';

const ALWAYS = { startAt: null, endAt: null };
const HOUR = 3_600_000;

function cron(pattern: string, timezone = 'UTC'): Timing {
  return { type: 'cron', cron: pattern, timezone };
}

/** The first ticks after a moment, both in ISO 8601 without seconds where they are 0. */
function ticksFrom(timing: Timing, from: string, count: number): string[] {
  const ticks = new Ticks(timing, ALWAYS, 0);
  const found: string[] = [];
  let tick = ticks.next(Date.parse(from));
  while (tick !== null && found.length < count) {
    found.push(new Date(tick).toISOString().replace(/(?::00)?\.000Z$/, 'Z'));
    tick = ticks.next(tick);
  }
  return found;
}

describe('daylight saving: a fixed time of day comes once on every day', () => {
  test('Europe/Berlin skips 02:30: it comes at 03:00', () => {
    assert.deepEqual(ticksFrom(cron('30 2 * * *', 'Europe/Berlin'), '2026-03-28T00:00Z', 3), [
      '2026-03-28T01:30Z',
      '2026-03-29T01:00Z',
      '2026-03-30T00:30Z',
    ]);
  });

  test('Europe/Berlin has 02:30 twice: it comes the first time', () => {
    assert.deepEqual(ticksFrom(cron('30 2 * * *', 'Europe/Berlin'), '2026-10-24T12:00Z', 3), [
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
      '2026-10-27T01:30Z',
    ]);
  });

  test('America/New_York skips 02:30: it comes at 03:00', () => {
    assert.deepEqual(ticksFrom(cron('30 2 * * *', 'America/New_York'), '2026-03-07T00:00Z', 3), [
      '2026-03-07T07:30Z',
      '2026-03-08T07:00Z',
      '2026-03-09T06:30Z',
    ]);
  });

  test('America/New_York has 01:30 twice: it comes the first time', () => {
    assert.deepEqual(ticksFrom(cron('30 1 * * *', 'America/New_York'), '2026-10-31T12:00Z', 2), [
      '2026-11-01T05:30Z',
      '2026-11-02T06:30Z',
    ]);
  });

  test('a list of times is a list of fixed times', () => {
    const timing = cron('30 2,14 * * *', 'Europe/Berlin');
    assert.deepEqual(ticksFrom(timing, '2026-03-28T20:00Z', 2), [
      '2026-03-29T01:00Z',
      '2026-03-29T12:30Z',
    ]);
    assert.deepEqual(ticksFrom(timing, '2026-10-24T20:00Z', 3), [
      '2026-10-25T00:30Z',
      '2026-10-25T13:30Z',
      '2026-10-26T01:30Z',
    ]);
  });
});

describe('daylight saving: what has * or a step counts the hours that pass', () => {
  for (const [zone, gap, overlap] of [
    ['Europe/Berlin', '2026-03-28T20:00Z', '2026-10-24T20:00Z'],
    ['America/New_York', '2026-03-07T20:00Z', '2026-10-31T20:00Z'],
  ] as const) {
    test(`hourly in ${zone}`, () => {
      for (const from of [gap, overlap]) {
        const hours = ticksFrom(cron('15 * * * *', zone), from, 24).map((tick) => Date.parse(tick));
        const steps = hours.slice(1).map((hour, i) => hour - hours[i]!);
        assert.deepEqual(new Set(steps), new Set([HOUR]));
      }
    });
  }

  test('a step within the hour that is skipped, or repeated', () => {
    const timing = cron('*/30 2 * * *', 'Europe/Berlin');
    assert.deepEqual(ticksFrom(timing, '2026-03-28T12:00Z', 1), ['2026-03-30T00:00Z']);
    assert.deepEqual(ticksFrom(timing, '2026-10-24T12:00Z', 4), [
      '2026-10-25T00:00Z',
      '2026-10-25T00:30Z',
      '2026-10-25T01:00Z',
      '2026-10-25T01:30Z',
    ]);
  });
});

test('leap day, last day of the month, seconds, names, nicknames', () => {
  assert.deepEqual(ticksFrom(cron('0 0 29 2 *'), '2026-01-01T00:00Z', 2), [
    '2028-02-29T00:00Z',
    '2032-02-29T00:00Z',
  ]);
  assert.deepEqual(ticksFrom(cron('0 12 L * *'), '2028-01-15T00:00Z', 3), [
    '2028-01-31T12:00Z',
    '2028-02-29T12:00Z',
    '2028-03-31T12:00Z',
  ]);
  assert.deepEqual(ticksFrom(cron('*/20 * * * * *'), '2028-01-01T00:00:05Z', 3), [
    '2028-01-01T00:00:20Z',
    '2028-01-01T00:00:40Z',
    '2028-01-01T00:01Z',
  ]);
  assert.deepEqual(ticksFrom(cron('0 9 * * MON-FRI'), '2026-01-02T10:00Z', 1), [
    '2026-01-05T09:00Z',
  ]);
  assert.deepEqual(ticksFrom(cron('@daily'), '2026-01-02T10:00Z', 1), ['2026-01-03T00:00Z']);
});

test('every: counted from the anchor, whenever it is asked', () => {
  const ticks = new Ticks({ type: 'every', every: 7_000 }, ALWAYS, 1_000);
  assert.equal(ticks.next(1_000), 8_000);
  assert.equal(ticks.next(7_999), 8_000);
  assert.equal(ticks.next(8_000), 15_000);
  assert.deepEqual(ticks.latest(8_000, 29_000, 2), [22_000, 29_000]);
});

test('startAt and endAt are bounds that a tick may lie on', () => {
  const timing: Timing = { type: 'every', every: 10 };
  const ticks = new Ticks(timing, { startAt: 1_000, endAt: 1_030 }, 3);
  assert.equal(ticks.next(0), 1_000);
  assert.equal(ticks.next(1_020), 1_030);
  assert.equal(ticks.next(1_030), null);
  assert.deepEqual(ticks.latest(0, 9_999, 3), [1_010, 1_020, 1_030]);
  assert.deepEqual(ticks.latest(0, 1_005, 3), [1_000]);
  const midnight = Date.parse('2026-01-02T00:00Z');
  const days = new Ticks(cron('0 0 * * *'), { startAt: midnight, endAt: midnight }, 0);
  assert.equal(days.next(0), midnight);
  assert.equal(days.next(midnight), null);
  assert.deepEqual(days.latest(0, Infinity, 5), [midnight]);
});

test('forward and backward there are the same ticks', () => {
  const patterns = ['30 2 * * *', '30 2,14 * * *', '*/20 1-3 * * *', '0 * * * *', '5 4 L * *'];
  const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC'];
  const timings = fc.oneof(
    fc.record({
      type: fc.constant('cron' as const),
      cron: fc.constantFrom(...patterns),
      timezone: fc.constantFrom(...zones),
    }),
    fc.record({ type: fc.constant('every' as const), every: fc.integer({ min: 1_000 }) }),
  );
  const from = fc.integer({
    min: Date.parse('2026-01-01T00:00Z'),
    max: Date.parse('2027-01-01T00:00Z'),
  });
  fc.assert(
    fc.property(timings, from, fc.integer({ min: 1, max: 40 }), (timing, after, count) => {
      const ticks = new Ticks(timing, ALWAYS, 0);
      const forward: number[] = [];
      let tick = ticks.next(after);
      while (tick !== null && forward.length < count) {
        assert.ok(tick > (forward.at(-1) ?? after));
        forward.push(tick);
        tick = ticks.next(tick);
      }
      assert.deepEqual(ticks.latest(after, forward.at(-1)!, count + 5), forward);
    }),
    { numRuns: 300 },
  );
});

test('what is no cron pattern, or no time zone, is refused', () => {
  const wrong = ['', '* * * *', '61 * * * *', '0 0 30 2 *', '2026-01-01T00:00', '* * * * * * *'];
  for (const pattern of wrong) {
    assert.throws(() => parseCron(pattern, 'UTC'), ValidationError, pattern);
  }
  assert.throws(() => parseCron('* * * * *', 'Mars/Olympus'), /'Europe\/Berlin'/);
});
