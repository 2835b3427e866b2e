import { Cron } from 'croner';
import { ValidationError } from '../errors.ts';
import { show } from '../limits.ts';

/** When a schedule is due. */
export type Timing =
  | { readonly type: 'cron'; readonly cron: string; readonly timezone: string }
  /** `every` milliseconds, counted from `startAt`, or else from when the schedule was made. */
  | { readonly type: 'every'; readonly every: number };

/** Moments in milliseconds since 1970. */
export interface Span {
  /** No tick comes before; null: no such bound. */
  readonly startAt: number | null;
  /** No tick comes after; null: no such bound. */
  readonly endAt: number | null;
}

const SECOND_MS = 1_000;

/**
 * The moments at which a schedule is due: a function of the schedule alone, the same in every
 * process.
 */
export class Ticks {
  readonly #series: Series;
  readonly #startAt: number;
  readonly #endAt: number;

  /** @param createdAt when the schedule was made, in milliseconds since 1970 */
  constructor(timing: Timing, span: Span, createdAt: number) {
    this.#startAt = span.startAt ?? -Infinity;
    this.#endAt = span.endAt ?? Infinity;
    this.#series =
      timing.type === 'cron'
        ? new CronSeries(parseCron(timing.cron, timing.timezone))
        : new EvenSeries(span.startAt ?? createdAt, timing.every);
  }

  /** @returns the first tick after `moment`; null: there is none */
  next(moment: number): number | null {
    const tick = this.#series.next(Math.max(moment, this.#startAt - 1));
    return tick === null || tick > this.#endAt ? null : tick;
  }

  /** @returns the last ticks after `after` and up to `until`, in order, at most `most` */
  latest(after: number, until: number, most: number): number[] {
    const from = Math.max(after, this.#startAt - 1);
    const ticks = this.#series.latest(Math.min(until, this.#endAt), most);
    return ticks.filter((tick) => tick > from);
  }
}

/** Ticks without a beginning or an end. */
interface Series {
  next(moment: number): number | null;
  /** The last `most` up to `until`, in order. */
  latest(until: number, most: number): number[];
}

/** A tick of cron is a whole second. */
class CronSeries implements Series {
  readonly #cron: Cron;

  constructor(cron: Cron) {
    this.#cron = cron;
  }

  next(moment: number): number | null {
    return this.#cron.nextRun(new Date(moment))?.getTime() ?? null;
  }

  latest(until: number, most: number): number[] {
    // What it is asked for lies before the moment it is given.
    const end = (Math.floor(until / SECOND_MS) + 1) * SECOND_MS;
    const runs = this.#cron.previousRuns(most, new Date(end));
    return runs.map((run) => run.getTime()).toReversed();
  }
}

class EvenSeries implements Series {
  readonly #anchor: number;
  readonly #every: number;

  constructor(anchor: number, every: number) {
    this.#anchor = anchor;
    this.#every = every;
  }

  next(moment: number): number {
    return this.#tick(this.#index(moment) + 1);
  }

  latest(until: number, most: number): number[] {
    const last = this.#index(until);
    return Array.from({ length: most }, (_, i) => this.#tick(last - most + 1 + i));
  }

  /** Which tick is the last one up to `moment`. */
  #index(moment: number): number {
    return Math.floor((moment - this.#anchor) / this.#every);
  }

  #tick(index: number): number {
    return this.#anchor + index * this.#every;
  }
}

/**
 * Five fields, or six with seconds in front. A fixed time of day that a change of the clocks skips
 * comes when they have changed, and one that they repeat comes once; a pattern with `*` or a step
 * counts the hours that pass.
 * @throws ValidationError
 */
export function parseCron(pattern: string, timezone: string): Cron {
  checkTimezone(timezone);
  let cron: Cron;
  try {
    // Croner reads no clock here: it has no function to call, and is asked with a date always.
    cron = new Cron(pattern, { timezone, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' });
  } catch (error) {
    throw refusal(pattern, (error as Error).message.replace(/^CronPattern: /, ''), error);
  }
  if (cron.getOnce() !== null) throw refusal(pattern, 'it is a date, which comes once');
  if (cron.nextRun(new Date(0)) === null) throw refusal(pattern, 'there is no such date');
  return cron;
}

function refusal(pattern: string, why: string, cause?: unknown): ValidationError {
  return new ValidationError(
    `cron is ${show(pattern)}: ${why}. It must have five fields (minute hour day-of-month month ` +
      "day-of-week), or six with seconds in front, such as '30 2 * * *'.",
    { cause },
  );
}

function checkTimezone(timezone: string): void {
  try {
    // Made only to see whether there is such a time zone.
    void new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch (cause) {
    throw new ValidationError(
      `timezone is ${show(timezone)}; it must be an IANA name such as 'Europe/Berlin' or 'UTC'.`,
      { cause },
    );
  }
}
