export { MessageQueueSystem } from './message-queue-system.ts';
export type { ConsumeOptions, MessageQueueConfig, ReceiveOptions } from './config.ts';
export { SystemClock } from './system-clock.ts';
export * from './core/errors.ts';
export type { Clock, Timer } from './core/clock.ts';
export type { BatchHandler, ConsumerStats, MessageHandler } from './core/consumer.ts';
export type { Consumer } from './core/consumer.ts';
export type { ConsumerConfig, ConsumerManager } from './core/consumer-manager.ts';
export type { DeadLetterQueue, RedriveOptions, RedriveResult } from './core/dead-letter-queue.ts';
export type { Delivery } from './core/delivery.ts';
export type * from './core/driver.ts';
export { NEVER } from './core/driver.ts';
export type { Duration } from './core/duration.ts';
export type { Activity, Counters, EventMap, EventName } from './core/events.ts';
export type { BindConfig, ExchangeManager } from './core/exchange-manager.ts';
export type { Limits } from './core/limits.ts';
export { DEFAULT_LIMITS } from './core/limits.ts';
export type * from './core/message.ts';
export type { MessageBroker } from './core/message-broker.ts';
export type {
  PublishRequest,
  PublishResult,
  SendOptions,
  SendResult,
} from './core/message-sender.ts';
export type { Producer } from './core/producer.ts';
export type { ProducerConfig, ProducerManager } from './core/producer-manager.ts';
export type { PayloadSchema, Queue, QueueLike } from './core/queue.ts';
export type { QueueConfig, QueueInfo, QueueManager } from './core/queue-manager.ts';
export type {
  Backoff,
  BackoffInput,
  QueueSettings,
  QueueSettingsInput,
} from './core/queue-settings.ts';
export { DEFAULT_QUEUE_SETTINGS } from './core/queue-settings.ts';
export type {
  Binding,
  Exchange,
  ExchangeConfig,
  ExchangeType,
  HeadersMatch,
} from './core/routing/exchange.ts';
