import * as z from 'zod';
import type { RateLimit } from './driver.ts';
import { type Duration, durationToMs } from './duration.ts';
import { ValidationError } from './errors.ts';
import { LEASE_MIN_MS, checkName, show } from './limits.ts';
import { checkRoutingKey } from './routing/exchange.ts';

/** How long to wait before the next try. All times in milliseconds. */
export interface Backoff {
  readonly type: 'fixed' | 'exponential';
  /** The wait before the first retry. */
  readonly delay: number;
  /** What each further wait is multiplied by ('exponential'). */
  readonly factor: number;
  /** No wait is longer. */
  readonly maxDelay: number;
  /** 0 to 1: the share of the wait that is drawn at random, so that retries do not come in step. */
  readonly jitter: number;
}

/** A queue's settings as stored: normalised, every field there. Times in milliseconds. */
export interface QueueSettings {
  /** Most messages stored, in the states that `boundOn` says; null: no bound. */
  readonly maxSize: number | null;
  /** Most bytes stored, in the same states; null: no bound. */
  readonly maxBytes: number | null;
  /** What counts: messages in all states, the leased ones too, or only those that wait. */
  readonly boundOn: 'stored' | 'waiting';
  /** What happens to a send at the bound. */
  readonly overflow: 'reject' | 'drop-oldest' | 'block';
  /** How long a message may wait, from first availability on; null: for ever. */
  readonly messageTtl: number | null;
  /** Where dead messages go; null: to the system's dead-letter queue. */
  readonly deadLetterQueue: string | null;
  /** An exchange that dead messages go through instead; who no queue takes is gone. */
  readonly deadLetterExchange: string | null;
  /** By which key they go there; null: by that under which they came, or else the queue's name. */
  readonly deadLetterRoutingKey: string | null;
  /** Without a dead-letter queue or exchange of its own: dead messages are dropped, not kept. */
  readonly discardDeadLetters: boolean;
  /** A message of a higher priority counts as one of this; null: 255. */
  readonly maxPriority: number | null;
  /** How often a failed message is tried again: it is handed out at most `maxRetries` + 1 times. */
  readonly maxRetries: number;
  readonly backoff: Backoff;
  /** How long a consumer may hold a message before it must settle it or extend the lease. */
  readonly leaseDuration: number;
  /** How long a deduplicationId is remembered; 0: never. */
  readonly deduplicationWindow: number;
  /** Most messages handed out at once, to all consumers of all processes; null: no bound. */
  readonly maxInFlight: number | null;
  /** The same for each group. 1: strictly in order; more: begun in order. */
  readonly groupMaxInFlight: number;
  /** How fast messages are handed out, over all processes; null: as fast as they are taken. */
  readonly rateLimit: RateLimit | null;
  /** The same for each group by itself. */
  readonly groupRateLimit: RateLimit | null;
  /** Over how many nodes of a cluster the queue may spread; order holds per group, then. */
  readonly partitions: number;
  /** Nothing is handed out while true. */
  readonly paused: boolean;
  /** false: held in memory only, and faster; the messages do not survive the process. */
  readonly durable: boolean;
  /** The queue is deleted, messages included, when nobody used it for so long; null: never. */
  readonly expiresAfterIdle: number | null;
}

/** What a caller may give for `backoff`: a fixed wait, or the fields. */
export type BackoffInput =
  | Duration
  | {
      readonly type?: 'fixed' | 'exponential';
      readonly delay?: Duration;
      readonly factor?: number;
      readonly maxDelay?: Duration;
      readonly jitter?: number;
    };

/** At most `max` messages in every `per`: `{ max: 100, per: '1s' }`. */
export interface RateLimitInput {
  readonly max: number;
  readonly per: Duration;
}

/** Settings as a caller gives them: any of them, durations as numbers or strings. */
export interface QueueSettingsInput {
  readonly maxSize?: number | null;
  readonly maxBytes?: number | null;
  readonly boundOn?: 'stored' | 'waiting';
  readonly overflow?: 'reject' | 'drop-oldest' | 'block';
  readonly messageTtl?: Duration | null;
  readonly deadLetterQueue?: string | null;
  readonly deadLetterExchange?: string | null;
  readonly deadLetterRoutingKey?: string | null;
  readonly discardDeadLetters?: boolean;
  readonly maxPriority?: number | null;
  readonly maxRetries?: number;
  readonly backoff?: BackoffInput;
  readonly leaseDuration?: Duration;
  readonly deduplicationWindow?: Duration;
  readonly maxInFlight?: number | null;
  readonly groupMaxInFlight?: number;
  readonly rateLimit?: RateLimitInput | null;
  readonly groupRateLimit?: RateLimitInput | null;
  readonly partitions?: number;
  readonly paused?: boolean;
  readonly durable?: boolean;
  readonly expiresAfterIdle?: Duration | null;
}

export const DEFAULT_QUEUE_SETTINGS: QueueSettings = {
  maxSize: null,
  maxBytes: null,
  boundOn: 'stored',
  overflow: 'reject',
  messageTtl: null,
  deadLetterQueue: null,
  deadLetterExchange: null,
  deadLetterRoutingKey: null,
  discardDeadLetters: false,
  maxPriority: null,
  maxRetries: 3,
  backoff: { type: 'exponential', delay: 1_000, factor: 2, maxDelay: 300_000, jitter: 0.2 },
  leaseDuration: 30_000,
  deduplicationWindow: 300_000,
  maxInFlight: null,
  groupMaxInFlight: 1,
  rateLimit: null,
  groupRateLimit: null,
  partitions: 1,
  paused: false,
  durable: true,
  expiresAfterIdle: null,
};

/** Retries beyond this are a loop, not a policy: so many are as good as no limit. */
export const RETRIES_MAX = 1_000_000;
/** Keeps the level of a bucket (max × per) a whole number. */
const RATE_MAX = 1_000_000;
const RATE_PER_MAX_MS = 86_400_000;
/** More places than a cluster has use for. */
const PARTITIONS_MAX = 256;

const duration = (min: number): z.ZodType<number> =>
  z.unknown().transform((value, context) => {
    try {
      const ms = durationToMs(value as Duration, 'the duration');
      if (ms >= min) return ms;
      context.addIssue(`must be at least ${min} ms`);
    } catch {
      context.addIssue("must be milliseconds or a string such as '500ms', '30s', '5m', '2h', '7d'");
    }
    return z.NEVER;
  });

const count = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

const checked = (check: (value: unknown) => string): z.ZodType<string> =>
  z.unknown().transform((value, context) => {
    try {
      return check(value);
    } catch (error) {
      context.addIssue((error as Error).message);
      return z.NEVER;
    }
  });

const name = checked((value) => checkName(value, 'the name'));
const routingKey = checked((value) => {
  checkRoutingKey(value);
  return value;
});

const backoffFields = z.strictObject({
  type: z.enum(['fixed', 'exponential']).optional(),
  delay: duration(0).optional(),
  factor: z.number().min(1).max(100).optional(),
  maxDelay: duration(0).optional(),
  jitter: z.number().min(0).max(1).optional(),
});

const fixedBackoff = z
  .custom<Duration>((value) => typeof value === 'number' || typeof value === 'string')
  .pipe(duration(0) as z.ZodType<number, Duration>)
  .transform((delay) => ({ type: 'fixed' as const, delay, jitter: 0 }));

const rateLimit = z.strictObject({
  max: z.int().min(1).max(RATE_MAX),
  per: duration(1).refine((ms) => ms <= RATE_PER_MAX_MS, 'must be at most a day'),
});

const settingsSchema = z.strictObject({
  maxSize: count.nullable().optional(),
  maxBytes: count.nullable().optional(),
  boundOn: z.enum(['stored', 'waiting']).optional(),
  overflow: z.enum(['reject', 'drop-oldest', 'block']).optional(),
  messageTtl: duration(1).nullable().optional(),
  deadLetterQueue: name.nullable().optional(),
  // The default exchange is one too: it goes by the key alone.
  deadLetterExchange: z
    .union([z.literal(''), name])
    .nullable()
    .optional(),
  deadLetterRoutingKey: routingKey.nullable().optional(),
  discardDeadLetters: z.boolean().optional(),
  maxPriority: z.int().min(0).max(255).nullable().optional(),
  maxRetries: z.int().min(0).max(RETRIES_MAX).optional(),
  backoff: z.union([fixedBackoff, backoffFields]).optional(),
  leaseDuration: duration(LEASE_MIN_MS).optional(),
  deduplicationWindow: duration(0).optional(),
  maxInFlight: count.nullable().optional(),
  groupMaxInFlight: count.optional(),
  rateLimit: rateLimit.nullable().optional(),
  groupRateLimit: rateLimit.nullable().optional(),
  partitions: z.int().min(1).max(PARTITIONS_MAX).optional(),
  paused: z.boolean().optional(),
  durable: z.boolean().optional(),
  expiresAfterIdle: duration(1).nullable().optional(),
});

/**
 * Checks settings and lays them over others.
 * @param input what the caller gave
 * @param base the settings that hold where `input` is silent
 * @returns complete settings
 * @throws ValidationError naming each wrong field and what it may be
 */
export function mergeQueueSettings(
  input: QueueSettingsInput,
  base: QueueSettings = DEFAULT_QUEUE_SETTINGS,
): QueueSettings {
  const parsed = settingsSchema.safeParse(input);
  if (!parsed.success) throw new ValidationError(explain(parsed.error, input));
  const given = Object.fromEntries(
    Object.entries(parsed.data).filter(([, value]) => value !== undefined),
  ) as Partial<QueueSettings>;
  const backoff = { ...base.backoff, ...given.backoff };
  const settings = { ...base, ...given, backoff };
  checkDeadLetters(settings);
  return settings;
}

function checkDeadLetters(settings: QueueSettings): void {
  const { deadLetterQueue, deadLetterExchange, deadLetterRoutingKey } = settings;
  if (deadLetterExchange !== null && deadLetterQueue !== null) {
    throw new ValidationError(
      'Queue settings are wrong: deadLetterQueue and deadLetterExchange exclude each other; ' +
        'give one of them.',
    );
  }
  if (deadLetterRoutingKey !== null && deadLetterExchange === null) {
    throw new ValidationError(
      'Queue settings are wrong: deadLetterRoutingKey is of no use without deadLetterExchange.',
    );
  }
}

/**
 * The names of the settings in which two differ. `paused` is left out: it is an operator's switch,
 * not a part of what the queue is.
 */
export function differingSettings(a: QueueSettings, b: QueueSettings): string[] {
  const keys = Object.keys(DEFAULT_QUEUE_SETTINGS) as (keyof QueueSettings)[];
  const defining = keys.filter((key) => key !== 'paused');
  return defining.filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]));
}

function explain(error: z.ZodError, input: unknown): string {
  const problems = error.issues.map((issue) => {
    const path = issue.path.join('.');
    const value = issue.path.reduce<unknown>(
      (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
      input,
    );
    return path === '' ? issue.message : `${path} is ${show(value)}: ${issue.message}`;
  });
  return `Queue settings are wrong: ${problems.join('; ')}.`;
}
