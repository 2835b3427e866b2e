import { type Duration, durationToMs } from '../duration.ts';
import { NEVER } from '../driver.ts';
import { ValidationError } from '../errors.ts';
import { checkFields, checkInteger, show } from '../limits.ts';
import type { Message } from '../message.ts';
import type { SendTarget } from '../message-sender.ts';
import { type QueueLike, queueNameOf } from '../queue.ts';
import { type MessageTemplate, templateOf } from './template.ts';
import { type Span, type Timing, parseCron } from './ticks.ts';

/** What becomes of ticks that nobody could send: all processes were down, or the store was. */
export type CatchUp = 'none' | 'latest' | 'all';

/** What `upsertSchedule` takes: exactly one of `cron` and `every`, and of `queue` and `exchange`. */
export interface ScheduleConfig<Input = unknown> {
  /** `'30 2 * * *'`: five fields, or six with seconds in front; also `'@daily'` and its like. */
  readonly cron?: string;
  /** Whose clock `cron` means: an IANA name such as `'Europe/Berlin'`. Default `'UTC'`. */
  readonly timezone?: string;
  /** From 1 s on, counted from `startAt`, or else from when the schedule was made. */
  readonly every?: Duration;
  readonly queue?: QueueLike<unknown, Input>;
  readonly exchange?: string;
  /** With `exchange`. Default `''`. */
  readonly routingKey?: string;
  /** What is sent at each tick, with the headers `schedule` and `scheduled-at` added. */
  readonly message: Message<Input>;
  /**
   * A tick that could not be sent within a minute was missed. `'latest'` (default): the last one
   * missed is sent, unless later ones are due anyway; `'all'`: each, at most the last 1,000;
   * `'none'`: none.
   */
  readonly catchUp?: CatchUp;
  /** The first moment that may be a tick: a Date, or milliseconds since 1970. */
  readonly startAt?: Date | number;
  /** The last moment that may be a tick. */
  readonly endAt?: Date | number;
  /** Most messages sent in all. */
  readonly limit?: number;
}

/** As `open` takes it. */
export interface NamedScheduleConfig extends ScheduleConfig {
  readonly name: string;
}

/** What is stored of a `ScheduleConfig`: normalised, JSON-safe, every field there. */
export interface Definition extends Span {
  readonly timing: Timing;
  readonly target: SendTarget;
  readonly message: MessageTemplate;
  readonly catchUp: CatchUp;
  readonly limit: number | null;
}

const FIELDS: readonly (keyof ScheduleConfig)[] = [
  'cron',
  'timezone',
  'every',
  'queue',
  'exchange',
  'routingKey',
  'message',
  'catchUp',
  'startAt',
  'endAt',
  'limit',
];

const CATCH_UPS: readonly CatchUp[] = ['none', 'latest', 'all'];
/** What comes more often is no matter of a schedule. */
const EVERY_MIN_MS = 1_000;

/** @throws ValidationError, SerializationError */
export function defineSchedule(config: ScheduleConfig): Definition {
  checkFields(config, FIELDS, 'A schedule');
  const { catchUp = 'latest', limit } = config;
  if (!CATCH_UPS.includes(catchUp)) {
    throw new ValidationError(
      `catchUp is ${show(catchUp)}; it must be one of ${CATCH_UPS.join(', ')}.`,
    );
  }
  const startAt = momentOf(config.startAt, 'startAt');
  const endAt = momentOf(config.endAt, 'endAt');
  if (startAt !== null && endAt !== null && endAt < startAt) {
    throw new ValidationError('endAt lies before startAt: there would be no tick.');
  }
  const definition: Definition = {
    timing: timingOf(config),
    target: targetOf(config),
    message: templateOf(config.message),
    catchUp,
    startAt,
    endAt,
    limit: limit === undefined ? null : checkInteger(limit, 'limit', 1, Number.MAX_SAFE_INTEGER),
  };
  // As a store gives it back: so that it can be compared with what is stored.
  return JSON.parse(JSON.stringify(definition)) as Definition;
}

function timingOf({ cron, timezone, every }: ScheduleConfig): Timing {
  if ((cron === undefined) === (every === undefined)) {
    throw new ValidationError("A schedule has exactly one of cron and every: '0 * * * *' or '5m'.");
  }
  if (every !== undefined) {
    if (timezone !== undefined) {
      throw new ValidationError('timezone goes with cron; every is a length of time.');
    }
    return { type: 'every', every: durationToMs(every, 'every', EVERY_MIN_MS) };
  }
  const timing = { type: 'cron', cron: cron!, timezone: timezone ?? 'UTC' } as const;
  parseCron(timing.cron, timing.timezone);
  return timing;
}

function targetOf({ queue, exchange, routingKey }: ScheduleConfig): SendTarget {
  if ((queue === undefined) === (exchange === undefined)) {
    throw new ValidationError('A schedule has exactly one of queue and exchange.');
  }
  if (exchange !== undefined) return { type: 'exchange', exchange, routingKey: routingKey ?? '' };
  if (routingKey !== undefined) throw new ValidationError('routingKey goes with exchange.');
  return { type: 'queue', queue: queueNameOf(queue!) };
}

function momentOf(value: Date | number | undefined, field: string): number | null {
  if (value === undefined) return null;
  const moment = value instanceof Date ? value.getTime() : value;
  if (typeof moment !== 'number' || !Number.isFinite(moment) || moment < 0 || moment >= NEVER) {
    throw new ValidationError(
      `${field} is ${show(value)}; it must be a Date or milliseconds since 1970, before the year 10000.`,
    );
  }
  return Math.round(moment);
}
