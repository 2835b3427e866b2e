export { MessageQueueSystem } from './message-queue-system.ts';
export type { MessageQueueConfig } from './config.ts';
export type { TelemetryOptions } from './opentelemetry.ts';
export { SystemClock } from './system-clock.ts';
export * from './core/errors.ts';
export type { Clock, Timer } from './core/clock.ts';
export type { BatchHandler, ConsumerStats, MessageHandler } from './core/consumer.ts';
export type { Consumer } from './core/consumer.ts';
export type { ConsumerConfig, ConsumerManager } from './core/consumer-manager.ts';
export type { DeadLetterQueue, RedriveOptions, RedriveResult } from './core/dead-letter-queue.ts';
export type { AcknowledgeOptions, Delivery } from './core/delivery.ts';
export {
  allocateContent,
  type AmqpContent,
  type AmqpMessageOptions,
  newAmqpMessage,
  payloadOf,
  propertiesOf,
  placesIn,
  readContent,
} from './core/amqp-content.ts';
export {
  type BrokerPort,
  brokerPort,
  type HeldMessage,
  type PortItem,
  type PortTake,
  type PortTaken,
  type PortTaker,
} from './core/broker-port.ts';
export type * from './core/driver.ts';
export { NEVER } from './core/driver.ts';
export { type Duration, durationToMs } from './core/duration.ts';
export type { Activity, Counters, EventMap, EventName } from './core/events.ts';
export type { BindConfig, ExchangeManager } from './core/exchange-manager.ts';
export type { Limits } from './core/limits.ts';
export { DEFAULT_LIMITS } from './core/limits.ts';
export type * from './core/message.ts';
export type { MessageBroker } from './core/message-broker.ts';
export type {
  BatchOptions,
  PublishRequest,
  PublishResult,
  SendOptions,
  SendResult,
} from './core/message-sender.ts';
export type { CallerTransaction } from './core/transaction.ts';
export type { CatchUp, NamedScheduleConfig, ScheduleConfig } from './core/schedules/definition.ts';
export type { Schedule, ScheduleManager } from './core/schedules/schedule-manager.ts';
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
export { waitQuantile } from './core/wait-histogram.ts';
export { migrate, type MigrateOptions, planMigration } from './migrate.ts';
export type { PlannedQueue, TransferPlan } from './core/transfer/plan.ts';
export type {
  TransferProgress,
  TransferResult,
  TransferredQueue,
} from './core/transfer/transfer.ts';
export type {
  ReceiptManager,
  ReceiptOptions,
  ReceiptResult,
  Rejection,
} from './core/receipt-manager.ts';
export type { RequestOptions } from './core/requester.ts';
export type { ConsumeOptions, ReceiveOptions } from './core/receiver.ts';
export type {
  Binding,
  Exchange,
  ExchangeConfig,
  ExchangeType,
  HeadersMatch,
} from './core/routing/exchange.ts';
