import type { Clock } from './core/clock.ts';
import type { ConsumerConfig } from './core/consumer-manager.ts';
import type { Driver } from './core/driver.ts';
import type { BindConfig } from './core/exchange-manager.ts';
import type { Limits } from './core/limits.ts';
import type { ProducerConfig } from './core/producer-manager.ts';
import type { QueueConfig } from './core/queue-manager.ts';
import type { ExchangeConfig } from './core/routing/exchange.ts';
import type { NamedScheduleConfig } from './core/schedules/definition.ts';
import type { TelemetryOptions } from './opentelemetry.ts';

/** What `open` takes. Everything has a default. */
export interface MessageQueueConfig {
  /**
   * Where messages are kept: `'memory:'` (default), a folder (`'./wherry-data'`, `'lmdb:DIR'`), a
   * server (`'redis://…'`, `'postgres://…'`), a broker (`'http://…'`), or a driver of your own.
   */
  readonly storage?: string | Driver;
  /**
   * Lets other processes of this machine open the same folder, each with `share: true`. The first
   * owns it; when it ends, however it ends, another takes its place. Default false.
   */
  readonly share?: boolean;
  /** An API token for a broker (`storage: 'http://…'`), instead of a user and password in the URL. */
  readonly token?: string;
  /** Created when they are missing. */
  readonly queues?: readonly QueueConfig[];
  readonly exchanges?: readonly ExchangeConfig[];
  readonly bindings?: readonly BindConfig[];
  /** Created when they are missing, and made as they are given here when they differ. */
  readonly schedules?: readonly NamedScheduleConfig[];
  readonly producers?: readonly ProducerConfig<never>[];
  readonly consumers?: readonly ConsumerConfig<never>[];
  readonly deadLetter?: {
    /** The dead-letter queue of all queues that name none. Default `'dead-letter'`. */
    readonly queue?: string;
  };
  readonly limits?: Partial<Limits>;
  /**
   * OpenTelemetry: spans for sends and handlers, joined into one trace by the messages' headers.
   * Default false. Needs the package `@opentelemetry/api`.
   */
  readonly telemetry?: boolean | TelemetryOptions;
  /** For tests. */
  readonly clock?: Clock;
}

export const CONFIG_FIELDS: readonly (keyof MessageQueueConfig)[] = [
  'storage',
  'share',
  'token',
  'queues',
  'exchanges',
  'bindings',
  'schedules',
  'producers',
  'consumers',
  'deadLetter',
  'limits',
  'telemetry',
  'clock',
];
