import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ScheduleConfig, defineSchedule } from '../../../src/core/schedules/definition.ts';
import {
  type ScheduleDocument,
  changed,
  claimed,
  created,
  dueTicks,
  finished,
  nextTick,
  paused,
  resumed,
  ticksAfter,
  ticksOf,
} from '../../../src/core/schedules/document.ts';

const MINUTE = 60_000;
/** A document is made at 0, on a clock where that is a good moment to begin. */
const NEW = 0;

function documentOf(config: Partial<ScheduleConfig>): ScheduleDocument {
  const message = { payload: 'tick' };
  return created(defineSchedule({ queue: 'q', message, every: '1m', ...config }), NEW);
}

function due(document: ScheduleDocument, now: number): readonly number[] {
  return dueTicks(document, now).ticks.map((tick) => tick / MINUTE);
}

/** All that is due is claimed and sent. */
function sendDue(document: ScheduleDocument, now: number): ScheduleDocument {
  const claim = claimed(document, dueTicks(document, now).ticks, 'me', now);
  return finished(claim, claim.pending.length, claim.pending.length);
}

function next(document: ScheduleDocument): number | null {
  return nextTick(document, ticksOf(document));
}

test('a tick is due from its moment on, once', () => {
  const document = documentOf({});
  assert.deepEqual(due(document, MINUTE - 1), []);
  assert.deepEqual(due(document, MINUTE), [1]);
  const sent = sendDue(document, MINUTE);
  assert.equal(sent.lastTick, MINUTE);
  assert.equal(sent.sent, 1);
  assert.deepEqual(due(sent, 2 * MINUTE - 1), []);
  assert.deepEqual(due(sent, 2 * MINUTE), [2]);
});

describe('ticks that were missed', () => {
  const late = 10.5 * MINUTE;

  test("'none': what is more than a minute late is left out", () => {
    assert.deepEqual(due(documentOf({ catchUp: 'none' }), late), [10]);
    assert.deepEqual(due(documentOf({ catchUp: 'none', every: '4m' }), late), []);
  });

  test("'latest': the last one missed, unless there is a later one", () => {
    assert.deepEqual(due(documentOf({ catchUp: 'latest' }), late), [10]);
    assert.deepEqual(due(documentOf({ catchUp: 'latest', every: '4m' }), late), [8]);
    assert.deepEqual(due(documentOf({ catchUp: 'latest', every: '4m' }), 8.5 * MINUTE), [8]);
  });

  test("'all': each", () => {
    assert.deepEqual(due(documentOf({ catchUp: 'all', every: '4m' }), late), [4, 8]);
  });

  test("'all': the last 1,000 at most", () => {
    const document = documentOf({ catchUp: 'all' });
    assert.equal(dueTicks(document, 1_000 * MINUTE).skippedFrom, null);
    const { ticks, skippedFrom } = dueTicks(document, 1_500 * MINUTE);
    assert.equal(ticks.length, 1_000);
    assert.equal(ticks[0], 501 * MINUTE);
    assert.equal(ticks.at(-1), 1_500 * MINUTE);
    assert.equal(skippedFrom, MINUTE);
  });

  test('within a minute each is sent, whatever the policy', () => {
    const document = documentOf({ catchUp: 'none', every: '10s' });
    assert.equal(dueTicks(document, MINUTE).ticks.length, 6);
  });

  test('a year of seconds is caught up with at once', () => {
    const year = 365 * 24 * 60 * MINUTE;
    for (const catchUp of ['none', 'latest', 'all'] as const) {
      const timing = { every: undefined, cron: '* * * * * *' };
      const { ticks } = dueTicks(documentOf({ ...timing, catchUp }), year);
      assert.equal(ticks.at(-1), year);
    }
  });
});

test('limit: most messages in all, what is pending counted', () => {
  let document = documentOf({ limit: 3, catchUp: 'all' });
  assert.deepEqual(due(document, 10 * MINUTE), [1, 2, 3]);
  document = claimed(document, [MINUTE, 2 * MINUTE], 'me', 0);
  assert.deepEqual(due(document, 10 * MINUTE), [3]);
  assert.deepEqual(ticksAfter(document, 0, 10), [3 * MINUTE]);
  document = sendDue(document, 10 * MINUTE);
  assert.equal(document.sent, 3);
  assert.equal(next(document), null);
  const message = { payload: 'tick' };
  const more = defineSchedule({ queue: 'q', message, every: '1m', limit: 4, catchUp: 'all' });
  assert.equal(next(changed(document, more, 'me', 10 * MINUTE)!), 11 * MINUTE);
});

test('a tick that was given up is not counted as sent', () => {
  const document = finished(claimed(documentOf({ limit: 2 }), [MINUTE], 'me', 0), 1, 0);
  assert.deepEqual([document.sent, document.lastTick], [0, MINUTE]);
});

describe('a change', () => {
  const other = defineSchedule({ queue: 'other', message: { payload: 'new' }, every: '1m' });

  test('to what it is, is none', () => {
    const document = documentOf({ cron: '0 0 * * *', every: undefined, startAt: new Date(5) });
    assert.equal(changed(document, structuredClone(document.definition), 'me', 9), null);
  });

  test('leaves what was due before to the former definition, also a second time', () => {
    const once = changed(documentOf({}), other, 'me', 1.5 * MINUTE)!;
    assert.deepEqual(
      once.pending.map(({ tick, definition }) => [tick, definition?.target]),
      [[MINUTE, { type: 'queue', queue: 'q' }]],
    );
    const third = defineSchedule({ queue: 'third', message: { payload: 'new' }, every: '1m' });
    const twice = changed(once, third, 'me', 2 * MINUTE)!;
    assert.deepEqual(
      twice.pending.map(({ tick, definition }) => [tick, definition?.target]),
      [
        [MINUTE, { type: 'queue', queue: 'q' }],
        [2 * MINUTE, { type: 'queue', queue: 'other' }],
      ],
    );
    assert.equal(next(twice), 3 * MINUTE);
  });

  test('begins after the moment of the change, and after what is decided on', () => {
    assert.equal(next(changed(documentOf({}), other, 'me', MINUTE - 1)!), MINUTE);
    assert.equal(next(changed(documentOf({}), other, 'me', MINUTE)!), 2 * MINUTE);
    // The changer's look at the clock may be older than the claim of another.
    const ahead = claimed(documentOf({}), [MINUTE], 'you', MINUTE);
    assert.equal(next(changed(ahead, other, 'me', MINUTE - 1)!), 2 * MINUTE);
  });
});

test('a pause: what was due is sent, what comes meanwhile is not made up', () => {
  const pause = paused(documentOf({ catchUp: 'all' }), 'me', 1.5 * MINUTE)!;
  assert.deepEqual(pause.pending, [{ tick: MINUTE }]);
  assert.equal(paused(pause, 'me', 2 * MINUTE), null);
  assert.equal(next(pause), null);
  assert.deepEqual(ticksAfter(pause, 0, 5), []);
  const goesOn = resumed(finished(pause, 1, 1), 5.5 * MINUTE)!;
  assert.equal(resumed(goesOn, 6 * MINUTE), null);
  assert.deepEqual(due(goesOn, 6 * MINUTE), [6]);
});

test('ticksAfter: those to come, not those that are late', () => {
  const document = documentOf({ endAt: 5 * MINUTE });
  assert.deepEqual(ticksAfter(document, 2.5 * MINUTE, 2), [3 * MINUTE, 4 * MINUTE]);
  assert.deepEqual(ticksAfter(document, 2.5 * MINUTE, 20).length, 3);
});
