import { type Command, Option } from 'commander';
import type { QueueSettings, QueueSettingsInput } from '../../core/queue-settings.ts';
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
} from '../values.ts';

/** The settings of a queue as options; `none` lifts a bound. */
export interface SettingsOptions {
  readonly maxSize?: OrNone<number>;
  readonly maxBytes?: OrNone<number>;
  readonly overflow?: QueueSettings['overflow'];
  readonly messageTtl?: OrNone<number>;
  readonly deadLetterQueue?: string;
  readonly maxRetries?: number;
  readonly backoff?: 'fixed' | 'exponential';
  readonly backoffDelay?: number;
  readonly backoffFactor?: number;
  readonly backoffMaxDelay?: number;
  readonly backoffJitter?: number;
  readonly leaseDuration?: number;
  readonly deduplicationWindow?: number;
  readonly expiresAfterIdle?: OrNone<number>;
}

/** Adds the options that `queue create` and `queue update` share. */
export function addSettingsOptions(command: Command): Command {
  return command
    .option(
      '--max-size <n>',
      'most messages stored, leased ones included, or none',
      orNone(integer(1)),
    )
    .option('--max-bytes <bytes>', 'most bytes stored, such as 64mb, or none', orNone(byteCount))
    .addOption(
      new Option('--overflow <policy>', 'what happens to a send at the bound').choices([
        'reject',
        'drop-oldest',
        'block',
      ]),
    )
    .option('--message-ttl <duration>', 'how long a message may wait, or none', orNone(duration))
    .option('--dead-letter-queue <queue>', "where dead messages go, or none for the system's")
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
    overflow: options.overflow,
    messageTtl: noneAsNull(options.messageTtl),
    deadLetterQueue: noneAsNull(options.deadLetterQueue),
    maxRetries: options.maxRetries,
    backoff: Object.keys(backoff).length === 0 ? undefined : backoff,
    leaseDuration: options.leaseDuration,
    deduplicationWindow: options.deduplicationWindow,
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
    overflow: settings.overflow,
    'message ttl': limit(settings.messageTtl, formatDuration),
    'dead-letter queue': settings.deadLetterQueue ?? "the system's",
    'max retries': String(settings.maxRetries),
    backoff: `${backoff.type}, ${formatDuration(backoff.delay)}${growth}, jitter ${backoff.jitter}`,
    'lease duration': formatDuration(settings.leaseDuration),
    'deduplication window': formatDuration(settings.deduplicationWindow),
    'expires after idle': limit(settings.expiresAfterIdle, formatDuration),
    durable: settings.durable ? 'yes' : 'no',
  };
}
