import type { Clock } from './core/clock.ts';
import type { ConsumerConfig } from './core/consumer-manager.ts';
import type { Driver } from './core/driver.ts';
import type { Duration } from './core/duration.ts';
import type { BindConfig } from './core/exchange-manager.ts';
import type { Limits } from './core/limits.ts';
import type { ProducerConfig } from './core/producer-manager.ts';
import type { QueueConfig } from './core/queue-manager.ts';
import type { ExchangeConfig } from './core/routing/exchange.ts';

/** What `open` takes. Everything has a default. */
export interface MessageQueueConfig {
  /**
   * Where messages are kept: `'memory:'` (default), a folder (`'./wherry-data'`, `'lmdb:DIR'`), or
   * a driver of your own.
   */
  readonly storage?: string | Driver;
  /** Created when they are missing. */
  readonly queues?: readonly QueueConfig[];
  readonly exchanges?: readonly ExchangeConfig[];
  readonly bindings?: readonly BindConfig[];
  readonly producers?: readonly ProducerConfig<never>[];
  readonly consumers?: readonly ConsumerConfig<never>[];
  readonly deadLetter?: {
    /** The dead-letter queue of all queues that name none. Default `'dead-letter'`. */
    readonly queue?: string;
  };
  readonly limits?: Partial<Limits>;
  /** For tests. */
  readonly clock?: Clock;
}

/** How to receive one message, or several. */
export interface ReceiveOptions {
  /** How long to wait for the first. Default: not at all. */
  readonly waitMs?: Duration;
  /** Default: the queue's. */
  readonly leaseDuration?: Duration;
  readonly signal?: AbortSignal;
}

export interface ConsumeOptions {
  readonly consumerId?: string;
  /** Most messages taken at a time. Default 16. */
  readonly batchSize?: number;
  readonly leaseDuration?: Duration;
  readonly pollInterval?: Duration;
  readonly signal?: AbortSignal;
}

export const RECEIVE_FIELDS: readonly string[] = ['max', 'waitMs', 'leaseDuration', 'signal'];

export const CONSUME_FIELDS: readonly (keyof ConsumeOptions)[] = [
  'consumerId',
  'batchSize',
  'leaseDuration',
  'pollInterval',
  'signal',
];

export const CONFIG_FIELDS: readonly (keyof MessageQueueConfig)[] = [
  'storage',
  'queues',
  'exchanges',
  'bindings',
  'producers',
  'consumers',
  'deadLetter',
  'limits',
  'clock',
];
