import { type Command, Option } from 'commander';
import type {
  QueueSettings,
  QueueSettingsInput,
  RateLimitInput,
} from '../../core/queue-settings.ts';
import { given } from '../help.ts';
import { formatBytes, formatDuration } from '../units.ts';
import {
  byteCount,
  decimal,
  duration,
  integer,
  noneAsNull,
  orNone,
  type OrNone,
  rateLimit,
} from '../values.ts';

/** The settings of a queue as options; `none` lifts a bound. */
export interface SettingsOptions {
  readonly maxSize?: OrNone<number>;
  readonly maxBytes?: OrNone<number>;
  readonly boundOn?: QueueSettings['boundOn'];
  readonly overflow?: QueueSettings['overflow'];
  readonly messageTtl?: OrNone<number>;
  readonly deadLetterQueue?: string;
  readonly deadLetterExchange?: string;
  readonly deadLetterRoutingKey?: string;
  readonly discardDeadLetters?: boolean;
  readonly maxPriority?: OrNone<number>;
  readonly maxRetries?: number;
  readonly backoff?: 'fixed' | 'exponential';
  readonly backoffDelay?: number;
  readonly backoffFactor?: number;
  readonly backoffMaxDelay?: number;
  readonly backoffJitter?: number;
  readonly leaseDuration?: number;
  readonly deduplicationWindow?: number;
  readonly maxInFlight?: OrNone<number>;
  readonly groupMaxInFlight?: number;
  readonly rateLimit?: OrNone<RateLimitInput>;
  readonly groupRateLimit?: OrNone<RateLimitInput>;
  readonly partitions?: number;
  readonly expiresAfterIdle?: OrNone<number>;
}

/** Adds the options that `queue create` and `queue update` share. */
export function addSettingsOptions(command: Command): Command {
  return command
    .option('--max-size <n>', 'most messages stored, or none', orNone(integer(1)))
    .option('--max-bytes <bytes>', 'most bytes stored, such as 64mb, or none', orNone(byteCount))
    .addOption(
      new Option('--bound-on <which>', 'what counts: all that is stored, or what waits').choices([
        'stored',
        'waiting',
      ]),
    )
    .addOption(
      new Option('--overflow <policy>', 'what happens to a send at the bound').choices([
        'reject',
        'drop-oldest',
        'block',
      ]),
    )
    .option('--message-ttl <duration>', 'how long a message may wait, or none', orNone(duration))
    .option('--dead-letter-queue <queue>', "where dead messages go, or none for the system's")
    .option('--dead-letter-exchange <exchange>', 'an exchange that they go through, or none')
    .option('--dead-letter-routing-key <key>', 'by which key they go there, or none for their own')
    .option('--discard-dead-letters', 'drop dead messages where no queue or exchange is named')
    .option('--max-priority <n>', 'higher priorities count as this, or none', orNone(integer(0)))
    .option('--max-retries <n>', 'how often a failed message is tried again', integer(0))
    .addOption(
      new Option('--backoff <type>', 'how the wait grows from one retry to the next').choices([
        'fixed',
        'exponential',
      ]),
    )
    .option('--backoff-delay <duration>', 'wait before the first retry', duration)
    .option('--backoff-factor <number>', 'what each further wait is multiplied by', decimal(1, 100))
    .option('--backoff-max-delay <duration>', 'no wait is longer', duration)
    .option('--backoff-jitter <share>', 'share of the wait drawn at random, 0 to 1', decimal(0, 1))
    .option('--lease-duration <duration>', 'how long a consumer may hold a message', duration)
    .option(
      '--deduplication-window <duration>',
      'how long a deduplication id is remembered',
      duration,
    )
    .option(
      '--max-in-flight <n>',
      'most messages handed out at once, over all processes, or none',
      orNone(integer(1)),
    )
    .option('--group-max-in-flight <n>', 'the same for each group; 1: in order', integer(1))
    .option(
      '--rate-limit <n/duration>',
      'how fast messages are handed out, such as 100/1s, or none',
      orNone(rateLimit),
    )
    .option(
      '--group-rate-limit <n/duration>',
      'the same for each group, or none',
      orNone(rateLimit),
    )
    .option('--partitions <n>', 'over how many places of a Redis Cluster it is spread', integer(1))
    .option(
      '--expires-after-idle <duration>',
      'delete the queue when unused for so long, or none',
      orNone(duration),
    );
}

/** @returns the settings that were given, as the library takes them */
export function settingsFrom(options: SettingsOptions): QueueSettingsInput {
  const backoff = given({
    type: options.backoff,
    delay: options.backoffDelay,
    factor: options.backoffFactor,
    maxDelay: options.backoffMaxDelay,
    jitter: options.backoffJitter,
  });
  return given({
    maxSize: noneAsNull(options.maxSize),
    maxBytes: noneAsNull(options.maxBytes),
    boundOn: options.boundOn,
    overflow: options.overflow,
    messageTtl: noneAsNull(options.messageTtl),
    deadLetterQueue: noneAsNull(options.deadLetterQueue),
    deadLetterExchange: noneAsNull(options.deadLetterExchange),
    deadLetterRoutingKey: noneAsNull(options.deadLetterRoutingKey),
    discardDeadLetters: options.discardDeadLetters,
    maxPriority: noneAsNull(options.maxPriority),
    maxRetries: options.maxRetries,
    backoff: Object.keys(backoff).length === 0 ? undefined : backoff,
    leaseDuration: options.leaseDuration,
    deduplicationWindow: options.deduplicationWindow,
    maxInFlight: noneAsNull(options.maxInFlight),
    groupMaxInFlight: options.groupMaxInFlight,
    rateLimit: noneAsNull(options.rateLimit),
    groupRateLimit: noneAsNull(options.groupRateLimit),
    partitions: options.partitions,
    expiresAfterIdle: noneAsNull(options.expiresAfterIdle),
  });
}

/** @returns setting -> how a person reads it */
export function describeSettings(settings: QueueSettings): Record<string, string> {
  const { backoff } = settings;
  const growth =
    backoff.type === 'fixed'
      ? ''
      : ` x ${backoff.factor} up to ${formatDuration(backoff.maxDelay)}`;
  const limit = (value: number | null, format: (value: number) => string): string =>
    value === null ? 'none' : format(value);
  return {
    'max size': limit(settings.maxSize, (value) => value.toLocaleString('en-US')),
    'max bytes': limit(settings.maxBytes, formatBytes),
    'bound on': settings.boundOn,
    overflow: settings.overflow,
    'message ttl': limit(settings.messageTtl, formatDuration),
    ...describeDeadLetters(settings),
    'max priority': limit(settings.maxPriority, String),
    'max retries': String(settings.maxRetries),
    backoff: `${backoff.type}, ${formatDuration(backoff.delay)}${growth}, jitter ${backoff.jitter}`,
    'lease duration': formatDuration(settings.leaseDuration),
    'deduplication window': formatDuration(settings.deduplicationWindow),
    'max in flight': limit(settings.maxInFlight, (value) => value.toLocaleString('en-US')),
    'group max in flight': String(settings.groupMaxInFlight),
    'rate limit': describeRate(settings.rateLimit),
    'group rate limit': describeRate(settings.groupRateLimit),
    partitions: String(settings.partitions),
    'expires after idle': limit(settings.expiresAfterIdle, formatDuration),
    durable: settings.durable ? 'yes' : 'no',
  };
}

function describeDeadLetters(settings: QueueSettings): Record<string, string> {
  const { deadLetterExchange, deadLetterRoutingKey, deadLetterQueue } = settings;
  if (deadLetterExchange !== null) {
    const key = deadLetterRoutingKey === null ? '' : ` by '${deadLetterRoutingKey}'`;
    return { 'dead-letter exchange': `'${deadLetterExchange}'${key}` };
  }
  const none = settings.discardDeadLetters ? 'none: dropped' : "the system's";
  return { 'dead-letter queue': deadLetterQueue ?? none };
}

function describeRate(rate: QueueSettings['rateLimit']): string {
  return rate === null
    ? 'none'
    : `${rate.max.toLocaleString('en-US')} in ${formatDuration(rate.per)}`;
}
