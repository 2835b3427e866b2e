import {
  type BatchHandler,
  Consumer,
  type ConsumerParts,
  type ConsumerSettings,
  type MessageHandler,
  capacityOf,
} from './consumer.ts';
import type { Delivery } from './delivery.ts';
import { type Duration, durationToMs } from './duration.ts';
import { ConsumerNotFoundError, ValidationError } from './errors.ts';
import { LEASE_MIN_MS, type Limits, checkFields, checkInteger, checkName } from './limits.ts';
import { type QueueLike, queueNameOf } from './queue.ts';
import type { Topology } from './topology.ts';
import type { Tracing } from './tracing.ts';

/** What `createConsumer` takes. */
export interface ConsumerConfig<T = unknown> {
  /** Unique in this system. */
  readonly id: string;
  /** For people; the id when left out. */
  readonly name?: string;
  readonly queueName: QueueLike<T>;
  /** Exactly one of `handler` and `batchHandler`. */
  readonly handler?: MessageHandler<T>;
  readonly batchHandler?: BatchHandler<T>;
  /** Most messages taken at a time (prefetch), and most that a batch handler gets. Default 16. */
  readonly batchSize?: number;
  /** Most handlers at once. Default 1. */
  readonly concurrency?: number;
  /** How often to look without having been woken. Default 5 s. */
  readonly pollInterval?: Duration;
  /** How long a lease lasts between extensions. Default: the queue's. */
  readonly leaseDuration?: Duration;
  /** A handler that takes longer has failed. Default: none. */
  readonly handlerTimeout?: Duration;
  /** Default true; else call `start()`. */
  readonly autoStart?: boolean;
  /** Stops the consumer when it fires. */
  readonly signal?: AbortSignal;
}

const CONFIG_FIELDS: readonly (keyof ConsumerConfig)[] = [
  'id',
  'name',
  'queueName',
  'handler',
  'batchHandler',
  'batchSize',
  'concurrency',
  'pollInterval',
  'leaseDuration',
  'handlerTimeout',
  'autoStart',
  'signal',
];

export const DEFAULT_BATCH_SIZE = 16;
export const DEFAULT_POLL_INTERVAL_MS = 5_000;
/** A shorter wait would be a busy loop. */
export const POLL_MIN_MS = 10;
const CONCURRENCY_MAX = 100_000;

/** Creates, finds and stops consumers. */
export class ConsumerManager {
  readonly #consumers = new Map<string, Consumer<never>>();
  /** How many receive without a handler, by queue. */
  readonly #receivers = new Map<string, number>();
  readonly #topology: Topology;
  readonly #limits: Limits;
  readonly #parts: ConsumerParts;
  readonly #tracing: Tracing | undefined;

  constructor(topology: Topology, limits: Limits, parts: ConsumerParts, tracing?: Tracing) {
    this.#topology = topology;
    this.#limits = limits;
    this.#tracing = tracing;
    this.#parts = { ...parts, stopped: (id) => void this.#consumers.delete(id) };
  }

  /** Creates what the configuration names. */
  async initialize(configs: readonly ConsumerConfig<never>[]): Promise<void> {
    for (const config of configs) await this.createConsumer(config);
  }

  /**
   * Creates a consumer and starts it.
   * @throws ValidationError when a setting is wrong, or the id is taken
   * @throws QueueNotFoundError
   */
  async createConsumer<T = unknown>(config: ConsumerConfig<T>): Promise<Consumer<T>> {
    const settings = this.#normalise(config);
    if (this.#consumers.has(settings.id)) {
      throw new ValidationError(
        `Consumer '${settings.id}' exists. Stop it first, or take another id.`,
      );
    }
    const consumer = new Consumer<T>(settings, this.#parts);
    this.#consumers.set(settings.id, consumer as unknown as Consumer<never>);
    const { signal } = config;
    signal?.addEventListener('abort', () => void this.stopConsumer(settings.id), { once: true });
    if (config.autoStart !== false && signal?.aborted !== true) consumer.start();
    return consumer;
  }

  /** Starts a consumer created with `autoStart: false`. @throws ConsumerNotFoundError */
  async startConsumer(id: string): Promise<void> {
    this.getConsumer(id).start();
  }

  /**
   * Stops a consumer gracefully and forgets it.
   * @param deadline until its running handlers are abandoned
   * @throws ConsumerNotFoundError
   */
  async stopConsumer(id: string, deadline?: Duration): Promise<void> {
    const consumer = this.getConsumer(id);
    await consumer.stop(deadline === undefined ? undefined : durationToMs(deadline, 'deadline'));
  }

  /** @throws ConsumerNotFoundError */
  getConsumer(id: string): Consumer<never> {
    const consumer = this.#consumers.get(id);
    if (consumer === undefined) throw new ConsumerNotFoundError(id);
    return consumer;
  }

  listConsumers(): Consumer<never>[] {
    return [...this.#consumers.values()];
  }

  countConsumers(queueName: string): number {
    const running = this.listConsumers().filter((c) => c.queueName === queueName && c.running);
    return running.length + (this.#receivers.get(queueName) ?? 0);
  }

  /** Counts one more who receives from a queue without a handler. @returns how to stop; once */
  countReceiver(queueName: string): () => void {
    this.#addReceivers(queueName, 1);
    return () => this.#addReceivers(queueName, -1);
  }

  #addReceivers(queueName: string, more: 1 | -1): void {
    const count = (this.#receivers.get(queueName) ?? 0) + more;
    if (count === 0) this.#receivers.delete(queueName);
    else this.#receivers.set(queueName, count);
  }

  /** @param deadline milliseconds until running handlers are abandoned */
  async close(deadline: number): Promise<void> {
    await Promise.all(this.listConsumers().map((consumer) => consumer.stop(deadline)));
  }

  #normalise<T>(config: ConsumerConfig<T>): ConsumerSettings<T> {
    checkFields(config, CONFIG_FIELDS, 'A consumer');
    const { handler, batchHandler } = config;
    if ((handler === undefined) === (batchHandler === undefined)) {
      throw new ValidationError('A consumer has exactly one of handler and batchHandler.');
    }
    const id = checkName(config.id, 'The consumer id');
    const queueName = queueNameOf(config.queueName);
    const queue = this.#topology.queue(queueName);
    const timeout = config.handlerTimeout;
    const settings: ConsumerSettings<T> = {
      id,
      name: config.name ?? id,
      queueName,
      handle: this.#traced(
        handler === undefined
          ? { per: 'batch', handler: batchHandler! }
          : { per: 'message', handler },
        { queueName, consumerId: id },
      ),
      batchSize: checkInteger(
        config.batchSize ?? DEFAULT_BATCH_SIZE,
        'batchSize',
        1,
        this.#limits.batchSize,
      ),
      concurrency: checkInteger(config.concurrency ?? 1, 'concurrency', 1, CONCURRENCY_MAX),
      pollInterval: durationToMs(
        config.pollInterval ?? DEFAULT_POLL_INTERVAL_MS,
        'pollInterval',
        POLL_MIN_MS,
      ),
      leaseDuration: durationToMs(
        config.leaseDuration ?? queue.settings.leaseDuration,
        'leaseDuration',
        LEASE_MIN_MS,
      ),
      handlerTimeout: timeout === undefined ? null : durationToMs(timeout, 'handlerTimeout', 1),
    };
    const most = this.#limits.inFlightPerConsumer;
    if (capacityOf(settings) > most) {
      throw new ValidationError(
        `batchSize ${settings.batchSize} with concurrency ${settings.concurrency} would hold ` +
          `${capacityOf(settings)} messages; at most ${most} are allowed (limits.inFlightPerConsumer).`,
      );
    }
    return settings;
  }

  /** @returns the handler, run within the trace of what it handles */
  #traced<T>(
    handle: ConsumerSettings<T>['handle'],
    about: { readonly queueName: string; readonly consumerId: string },
  ): ConsumerSettings<T>['handle'] {
    const tracing = this.#tracing;
    if (tracing === undefined) return handle;
    const { per, handler } = handle;
    const run = (deliveries: readonly Delivery<T>[], work: () => unknown): unknown =>
      tracing.process({ ...about, deliveries }, work);
    return per === 'batch'
      ? { per, handler: (batch) => run(batch, () => handler(batch)) }
      : { per, handler: (delivery) => run([delivery], () => handler(delivery)) };
  }
}
