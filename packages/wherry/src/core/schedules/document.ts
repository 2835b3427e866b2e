import { isDeepStrictEqual } from 'node:util';
import type { Definition } from './definition.ts';
import { Ticks } from './ticks.ts';

/** A tick that is decided on: its message is sent by whoever comes first, once. */
export interface PendingTick {
  readonly tick: number;
  /** What is sent, if the schedule was changed since. */
  readonly definition?: Definition;
}

/**
 * What the store keeps of a schedule beside its name. All that happens to it is a compare-and-set of
 * the whole: so a tick belongs to one definition, whoever changes it at whatever moment. All moments
 * are milliseconds since 1970, by the store's clock.
 */
export interface ScheduleDocument {
  readonly definition: Definition;
  readonly createdAt: number;
  readonly paused: boolean;
  /** Only ticks after this moment are the definition's: it was made, changed or resumed then. */
  readonly after: number;
  /** The last tick that is done with: sent or, in rare cases, given up. */
  readonly lastTick: number | null;
  /** Messages sent in all. */
  readonly sent: number;
  /** In order. */
  readonly pending: readonly PendingTick[];
  /** Who claimed the last of `pending`, or had, and when. */
  readonly claim: { readonly by: string; readonly at: number } | null;
}

/** Ticks that are due, and what became of those before them. */
export interface DueTicks {
  /** In order; those that were missed and are not to be sent are left out. */
  readonly ticks: readonly number[];
  /** More were missed than are made up: the first of them. */
  readonly skippedFrom: number | null;
}

/** A tick that is not sent within this time was missed. */
export const MISSED_AFTER_MS = 60_000;
/** Missed ticks that 'all' makes up at most. */
export const CATCH_UP_MAX = 1_000;

const NOTHING_DUE: DueTicks = { ticks: [], skippedFrom: null };

export function ticksOf({ definition, createdAt }: ScheduleDocument): Ticks {
  return new Ticks(definition.timing, definition, createdAt);
}

export function created(definition: Definition, now: number): ScheduleDocument {
  return {
    definition,
    createdAt: now,
    paused: false,
    after: now,
    lastTick: null,
    sent: 0,
    pending: [],
    claim: null,
  };
}

/** @returns null when the definition is the present one */
export function changed(
  document: ScheduleDocument,
  definition: Definition,
  by: string,
  now: number,
): ScheduleDocument | null {
  if (isDeepStrictEqual(document.definition, definition)) return null;
  const former = claimed(document, dueTicks(document, now).ticks, by, now);
  // What was due by now is sent as it was defined.
  const pending = former.pending.map((one) => ({ definition: document.definition, ...one }));
  return { ...former, pending, definition, after: Math.max(now, beginOf(document)) };
}

/** What was due before the pause is sent. @returns null when it is paused */
export function paused(
  document: ScheduleDocument,
  by: string,
  now: number,
): ScheduleDocument | null {
  if (document.paused) return null;
  return { ...claimed(document, dueTicks(document, now).ticks, by, now), paused: true };
}

/** What would have been due meanwhile is not made up. @returns null when it is not paused */
export function resumed(document: ScheduleDocument, now: number): ScheduleDocument | null {
  if (!document.paused) return null;
  return { ...document, paused: false, after: Math.max(now, beginOf(document)) };
}

/** Ticks become pending. */
export function claimed(
  document: ScheduleDocument,
  ticks: readonly number[],
  by: string,
  now: number,
): ScheduleDocument {
  if (ticks.length === 0) return document;
  const pending = [...document.pending, ...ticks.map((tick) => ({ tick }))];
  return { ...document, pending, claim: { by, at: now } };
}

/**
 * The first of what is pending has come to its end.
 * @param done how many
 * @param sent how many of them were sent
 */
export function finished(document: ScheduleDocument, done: number, sent: number): ScheduleDocument {
  if (done === 0) return document;
  return {
    ...document,
    pending: document.pending.slice(done),
    lastTick: document.pending[done - 1]!.tick,
    sent: document.sent + sent,
  };
}

/** How many more messages the limit allows. */
function left({ definition, sent, pending }: ScheduleDocument): number {
  return definition.limit === null ? Infinity : definition.limit - sent - pending.length;
}

/** Ticks up to here are decided on. */
function beginOf({ after, lastTick, pending }: ScheduleDocument): number {
  return Math.max(after, lastTick ?? -Infinity, pending.at(-1)?.tick ?? -Infinity);
}

/** @returns the first tick that is not decided on; null: none will come */
export function nextTick(document: ScheduleDocument, ticks: Ticks): number | null {
  if (document.paused || left(document) <= 0) return null;
  return ticks.next(beginOf(document));
}

/** @returns the first ticks after `now`, at most `count` */
export function ticksAfter(document: ScheduleDocument, now: number, count: number): number[] {
  if (document.paused) return [];
  const most = Math.min(count, left(document));
  return firstTicks(ticksOf(document), Math.max(now, beginOf(document)), Infinity, most);
}

/** What is to be sent by now and not yet decided on, as `catchUp` says. */
export function dueTicks(
  document: ScheduleDocument,
  now: number,
  ticks: Ticks = ticksOf(document),
): DueTicks {
  const first = nextTick(document, ticks);
  if (first === null || first > now) return NOTHING_DUE;
  const missed = now - MISSED_AFTER_MS;
  const due =
    first > missed
      ? { ticks: firstTicks(ticks, beginOf(document), now, Infinity), skippedFrom: null }
      : caughtUp(document, ticks, first, now);
  const most = left(document);
  return most < due.ticks.length ? { ...due, ticks: due.ticks.slice(0, most) } : due;
}

/** @param first the first tick of all, which was missed */
function caughtUp(document: ScheduleDocument, ticks: Ticks, first: number, now: number): DueTicks {
  const begin = beginOf(document);
  if (document.definition.catchUp === 'all') {
    const all = firstTicks(ticks, begin, now, CATCH_UP_MAX + 1);
    return all.length <= CATCH_UP_MAX
      ? { ticks: all, skippedFrom: null }
      : { ticks: ticks.latest(begin, now, CATCH_UP_MAX), skippedFrom: first };
  }
  const late = firstTicks(ticks, Math.max(begin, now - MISSED_AFTER_MS), now, Infinity);
  const isEnough = late.length > 0 || document.definition.catchUp === 'none';
  return { ticks: isEnough ? late : ticks.latest(begin, now, 1), skippedFrom: null };
}

/** The first `most` after `after`, up to `until`. */
function firstTicks(ticks: Ticks, after: number, until: number, most: number): number[] {
  const found: number[] = [];
  let tick = ticks.next(after);
  while (tick !== null && tick <= until && found.length < most) {
    found.push(tick);
    tick = ticks.next(tick);
  }
  return found;
}
