import type { EventEmitter } from 'node:events';
import { type Parts, assemble, openToServers } from './assemble.ts';
import { CONFIG_FIELDS, type MessageQueueConfig } from './config.ts';
import type { ConsumerConfig, ConsumerManager } from './core/consumer-manager.ts';
import type { Consumer } from './core/consumer.ts';
import type { DeadLetterQueue } from './core/dead-letter-queue.ts';
import type { AcknowledgeOptions, Delivery } from './core/delivery.ts';
import type { Driver } from './core/driver.ts';
import { type Duration, durationToMs } from './core/duration.ts';
import type { EventMap } from './core/events.ts';
import type { BindConfig, ExchangeManager } from './core/exchange-manager.ts';
import { type Limits, checkFields } from './core/limits.ts';
import type { MessageBroker } from './core/message-broker.ts';
import type {
  BatchOptions,
  MessageSender,
  PublishRequest,
  PublishResult,
  SendOptions,
  SendResult,
} from './core/message-sender.ts';
import type { Envelope, Message, MessageState } from './core/message.ts';
import type { ProducerConfig, ProducerManager } from './core/producer-manager.ts';
import type { Producer } from './core/producer.ts';
import type { QueueConfig, QueueInfo, QueueManager } from './core/queue-manager.ts';
import type { QueueSettingsInput } from './core/queue-settings.ts';
import { type Queue, type QueueLike, queueNameOf } from './core/queue.ts';
import type { ReceiptManager } from './core/receipt-manager.ts';
import type { RequestOptions } from './core/requester.ts';
import type { ConsumeOptions, ReceiveOptions } from './core/receiver.ts';
import type { Binding, Exchange, ExchangeConfig } from './core/routing/exchange.ts';
import type { BindingFilter } from './core/routing/router.ts';
import type { ScheduleConfig } from './core/schedules/definition.ts';
import type { Schedule, ScheduleManager } from './core/schedules/schedule-manager.ts';
import { openStore } from './open-store.ts';
import { openTracing } from './opentelemetry.ts';
import { SystemClock } from './system-clock.ts';

const DEFAULT_CLOSE_DEADLINE_MS = 10_000;

/**
 * A message queue: open one, create queues, send and receive.
 *
 * ```ts
 * await using mq = await MessageQueueSystem.open({ storage: './wherry-data' });
 * await mq.createQueue({ name: 'emails' });
 * await mq.sendMessage('emails', { payload: { to: 'ada@example.com' } });
 * ```
 */
export class MessageQueueSystem implements AsyncDisposable {
  readonly queueManager: QueueManager;
  readonly exchangeManager: ExchangeManager;
  readonly producerManager: ProducerManager;
  readonly consumerManager: ConsumerManager;
  readonly scheduleManager: ScheduleManager;
  readonly messageBroker: MessageBroker;
  readonly receiptManager: ReceiptManager;
  readonly deadLetterQueue: DeadLetterQueue;
  readonly limits: Limits;
  readonly #parts: Parts;
  #closed: Promise<void> | null = null;

  /** Opens a system on a store. @throws ValidationError, StorageInUseError, StorageError */
  static async open(config: MessageQueueConfig = {}): Promise<MessageQueueSystem> {
    checkFields(config, CONFIG_FIELDS, 'The configuration');
    const clock = config.clock ?? new SystemClock();
    const driver = await openStore(config.storage ?? 'memory:', clock, config);
    let system: MessageQueueSystem;
    try {
      const tracing = await openTracing(config.telemetry);
      system = new MessageQueueSystem(assemble(driver, clock, config, tracing));
    } catch (error) {
      await driver.close();
      throw error;
    }
    try {
      await system.#initialize(config);
    } catch (error) {
      await system.close({ deadline: 0 });
      throw error;
    }
    return system;
  }

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.queueManager = parts.queues;
    this.exchangeManager = parts.exchanges;
    this.producerManager = parts.producers;
    this.consumerManager = parts.consumers;
    this.scheduleManager = parts.schedules;
    this.messageBroker = parts.broker;
    this.receiptManager = parts.receipts;
    this.deadLetterQueue = parts.deadLetters;
    this.limits = parts.limits;
    openToServers(this, parts);
  }

  async #initialize(config: MessageQueueConfig): Promise<void> {
    const { topology, deadLetters, housekeeping } = this.#parts;
    await topology.open();
    await this.queueManager.initialize(config.queues ?? []);
    // Not before: the configuration may say what the system's dead-letter queue is like.
    await deadLetters.initialize();
    await housekeeping.open();
    for (const exchange of config.exchanges ?? []) await this.createExchange(exchange);
    for (const binding of config.bindings ?? []) await this.bind(binding);
    await this.scheduleManager.initialize(config.schedules ?? []);
    await this.producerManager.initialize(config.producers ?? []);
    await this.consumerManager.initialize(config.consumers ?? []);
    housekeeping.start();
  }

  /** What happens, as it happens: `mq.events.on('deadLettered', ({ queue, id }) => …)`. */
  get events(): EventEmitter<{ [name in keyof EventMap]: [EventMap[name]] }> {
    return this.#parts.events.emitter;
  }

  /** What the store holds, as data. */
  get storage(): Pick<Driver, 'name' | 'supports'> {
    return this.#parts.driver;
  }

  /** @see QueueManager.createQueue */
  createQueue<T = unknown, Input = T>(config: QueueConfig<T, Input>): Promise<Queue<T, Input>> {
    return this.queueManager.createQueue(config);
  }

  /** @see QueueManager.updateQueue */
  updateQueue(queue: QueueLike, changes: QueueSettingsInput): Promise<Queue> {
    return this.queueManager.updateQueue(queueNameOf(queue), changes);
  }

  /** @throws QueueNotFoundError */
  getQueue(name: string): Queue {
    return this.queueManager.validateQueue(name);
  }

  listQueues(): Queue[] {
    return this.queueManager.listQueues();
  }

  /** @see QueueManager.getQueueInfo */
  getQueueInfo(queue: QueueLike): Promise<QueueInfo> {
    return this.queueManager.getQueueInfo(queueNameOf(queue));
  }

  listQueueInfo(): Promise<QueueInfo[]> {
    return Promise.all(this.listQueues().map((queue) => this.getQueueInfo(queue.name)));
  }

  /** @see QueueManager.deleteQueue */
  deleteQueue(queue: QueueLike, options?: { readonly force?: boolean }): Promise<number> {
    return this.queueManager.deleteQueue(queueNameOf(queue), options);
  }

  /** @see QueueManager.purgeQueue */
  purgeQueue(queue: QueueLike): Promise<number> {
    return this.queueManager.purgeQueue(queueNameOf(queue));
  }

  /** Nothing is handed out until `resumeQueue`; sends go on. @throws QueueNotFoundError */
  async pauseQueue(queue: QueueLike): Promise<void> {
    await this.updateQueue(queue, { paused: true });
  }

  /** @throws QueueNotFoundError */
  async resumeQueue(queue: QueueLike): Promise<void> {
    await this.updateQueue(queue, { paused: false });
  }

  /** @see MessageSender.sendMessage */
  sendMessage<Input>(
    queue: QueueLike<unknown, Input>,
    message: Message<Input>,
    options?: SendOptions,
  ): Promise<string> {
    return this.#parts.sender.sendMessage(queue, message, options);
  }

  /** @see MessageSender.sendBatch */
  sendBatch<Input>(
    queue: QueueLike<unknown, Input>,
    messages: readonly Message<Input>[],
    options?: BatchOptions,
  ): Promise<SendResult[]> {
    return this.#parts.sender.sendBatch(queue, messages, options);
  }

  /** @see Requester.request */
  request<R = unknown, Input = unknown>(
    queue: QueueLike<unknown, Input>,
    message: Message<Input>,
    options?: RequestOptions<R>,
  ): Promise<R> {
    return this.#parts.requester.request(queue, message, options);
  }

  /** @see MessageSender.publish */
  publish(
    exchange: string,
    routingKey: string,
    message: Message,
    options?: SendOptions,
  ): Promise<PublishResult> {
    return this.#parts.sender.publish({ exchange, routingKey, message }, options);
  }

  /** @see MessageSender.publishBatch */
  publishBatch(
    requests: readonly PublishRequest[],
    options?: SendOptions,
  ): ReturnType<MessageSender['publishBatch']> {
    return this.#parts.sender.publishBatch(requests, options);
  }

  /**
   * Leases the next message; with `max`, up to so many. It must be settled with
   * `acknowledgeMessage` or `rejectMessage` (or on the delivery) before the lease ends.
   * @returns the delivery or null; with `max`, an array
   */
  receiveMessage<T>(
    queue: QueueLike<T>,
    consumerId: string,
    options: ReceiveOptions & { readonly max: number },
  ): Promise<Delivery<T>[]>;
  receiveMessage<T>(
    queue: QueueLike<T>,
    consumerId: string,
    options?: ReceiveOptions,
  ): Promise<Delivery<T> | null>;
  async receiveMessage<T>(
    queue: QueueLike<T>,
    consumerId: string,
    options: ReceiveOptions & { readonly max?: number } = {},
  ): Promise<Delivery<T>[] | Delivery<T> | null> {
    const deliveries = await this.#parts.receiver.receive<T>(queue, consumerId, options);
    return options.max === undefined ? (deliveries[0] ?? null) : deliveries;
  }

  /**
   * Done: the message is gone; with `tx`, when that transaction commits.
   * @throws LeaseLostError when `consumerId` does not hold it @throws MessageNotFoundError
   */
  acknowledgeMessage(id: string, consumerId: string, options?: AcknowledgeOptions): Promise<void> {
    return this.messageBroker.acknowledgeMessage(id, consumerId, options);
  }

  /**
   * Failed: tried again after the queue's back-off or `delay`, dead-lettered when the retries are
   * used up. With `requeue: true` it goes back at once and does not count.
   * @throws LeaseLostError when `consumerId` does not hold it @throws MessageNotFoundError
   */
  rejectMessage(
    id: string,
    consumerId: string,
    reason: string,
    options: { readonly delay?: Duration; readonly requeue?: boolean } = {},
  ): Promise<void> {
    if (options.requeue === true) return this.messageBroker.requeueMessage(id, consumerId);
    const failure = { kind: 'failed', error: reason, delay: options.delay } as const;
    return this.messageBroker.failMessage(id, consumerId, failure);
  }

  /** @throws LeaseLostError when `consumerId` does not hold it @throws MessageNotFoundError */
  async extendLease(id: string, consumerId: string, leaseDuration: Duration): Promise<void> {
    const ms = durationToMs(leaseDuration, 'leaseDuration');
    await this.messageBroker.extendLease(id, consumerId, ms);
  }

  /** The stored message, whatever its state; null when there is none. Takes nothing. */
  getMessage(id: string): Promise<Envelope | null> {
    return this.messageBroker.getMessage(id);
  }

  /** A page of stored messages, without taking them. `limit`: 1 to 1,000, default 100. */
  async browse(
    queue: QueueLike,
    options: {
      readonly state?: MessageState;
      readonly cursor?: string;
      readonly limit?: number;
    } = {},
  ): Promise<{ messages: Envelope[]; cursor: string | null }> {
    const { state = 'ready', cursor, limit = 100 } = options;
    return this.messageBroker.browse(queueNameOf(queue), { state, cursor, limit });
  }

  /** @see ExchangeManager.createExchange */
  createExchange(config: ExchangeConfig): Promise<Exchange> {
    return this.exchangeManager.createExchange(config);
  }

  /** @see ExchangeManager.deleteExchange */
  deleteExchange(name: string): Promise<void> {
    return this.exchangeManager.deleteExchange(name);
  }

  listExchanges(): Exchange[] {
    return this.exchangeManager.listExchanges();
  }

  /** @see ExchangeManager.bind */
  bind(config: BindConfig): Promise<void> {
    return this.exchangeManager.bind(config);
  }

  /** @see ExchangeManager.unbind */
  unbind(config: BindConfig): Promise<void> {
    return this.exchangeManager.unbind(config);
  }

  listBindings(filter?: BindingFilter): Binding[] {
    return this.exchangeManager.listBindings(filter);
  }

  /** @see ScheduleManager.upsertSchedule */
  upsertSchedule<Input = unknown>(name: string, config: ScheduleConfig<Input>): Promise<Schedule> {
    return this.scheduleManager.upsertSchedule(name, config);
  }

  /** @throws ScheduleNotFoundError */
  getSchedule(name: string): Schedule {
    return this.scheduleManager.getSchedule(name);
  }

  listSchedules(): Schedule[] {
    return this.scheduleManager.listSchedules();
  }

  /** @see ScheduleManager.nextTicks */
  nextTicks(name: string, count?: number): Promise<Date[]> {
    return this.scheduleManager.nextTicks(name, count);
  }

  /** @see ScheduleManager.pauseSchedule */
  pauseSchedule(name: string): Promise<Schedule> {
    return this.scheduleManager.pauseSchedule(name);
  }

  /** @see ScheduleManager.resumeSchedule */
  resumeSchedule(name: string): Promise<Schedule> {
    return this.scheduleManager.resumeSchedule(name);
  }

  /** @see ScheduleManager.removeSchedule */
  removeSchedule(name: string): Promise<void> {
    return this.scheduleManager.removeSchedule(name);
  }

  /** @see ProducerManager.createProducer */
  createProducer<Input = unknown>(config: ProducerConfig<Input>): Promise<Producer<Input>> {
    return this.producerManager.createProducer(config);
  }

  /** @see ConsumerManager.createConsumer */
  createConsumer<T = unknown>(config: ConsumerConfig<T>): Promise<Consumer<T>> {
    return this.consumerManager.createConsumer(config);
  }

  /** Deliveries of a queue for `for await`. Each must be settled in the loop's body. */
  consume<T>(
    queue: QueueLike<T>,
    options: ConsumeOptions = {},
  ): AsyncGenerator<Delivery<T>, void, undefined> {
    return this.#parts.receiver.consume(queue, options);
  }

  /**
   * Stops consumers gracefully, waits for what was sent, and lets go of the store.
   * @param options.deadline until running handlers are abandoned. Default 10 s.
   */
  close(options: { readonly deadline?: Duration } = {}): Promise<void> {
    const deadline = durationToMs(options.deadline ?? DEFAULT_CLOSE_DEADLINE_MS, 'deadline');
    this.#closed ??= this.#close(deadline);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(deadline: number): Promise<void> {
    const { housekeeping, publisher, sweeper } = this.#parts;
    const { requester, settler, wakeups, topology, driver } = this.#parts;
    await housekeeping.close();
    this.messageBroker.close();
    this.deadLetterQueue.close();
    await this.consumerManager.close(deadline);
    // Not before: a handler that runs may wait for a reply.
    await requester.close();
    await publisher.close();
    await sweeper.close();
    await settler.idle();
    wakeups.close();
    topology.close();
    await driver.close();
  }
}
