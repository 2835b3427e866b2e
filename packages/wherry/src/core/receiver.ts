import { DEFAULT_BATCH_SIZE, DEFAULT_POLL_INTERVAL_MS, POLL_MIN_MS } from './consumer-manager.ts';
import { type StreamParts, streamDeliveries } from './delivery-stream.ts';
import type { Delivery } from './delivery.ts';
import { type Duration, durationToMs } from './duration.ts';
import type { IdleQueues } from './idle-queues.ts';
import { LEASE_MIN_MS, type Limits, checkFields, checkInteger, checkName } from './limits.ts';
import { type QueueLike, queueNameOf } from './queue.ts';
import type { Topology } from './topology.ts';

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

const RECEIVE_FIELDS: readonly string[] = ['max', 'waitMs', 'leaseDuration', 'signal'];

const CONSUME_FIELDS: readonly (keyof ConsumeOptions)[] = [
  'consumerId',
  'batchSize',
  'leaseDuration',
  'pollInterval',
  'signal',
];

export interface ReceiverParts extends StreamParts {
  readonly topology: Topology;
  readonly limits: Limits;
  readonly idleQueues: IdleQueues;
}

/** Hands out messages without a handler: one by one, or for `for await`. */
export class Receiver {
  readonly #parts: ReceiverParts;
  #streams = 0;

  constructor(parts: ReceiverParts) {
    this.#parts = parts;
  }

  /** @param options.max most messages; 1 when it is left out */
  async receive<T>(
    queue: QueueLike<T>,
    consumerId: string,
    options: ReceiveOptions & { readonly max?: number },
  ): Promise<Delivery<T>[]> {
    checkFields(options, RECEIVE_FIELDS, 'The receive options');
    const { max = 1, waitMs, leaseDuration, signal } = options;
    const { topology, limits, broker, idleQueues } = this.#parts;
    const { name, settings } = topology.queue(queueNameOf(queue));
    const lease = leaseDuration ?? settings.leaseDuration;
    const take = {
      consumerId: checkName(consumerId, 'The consumer id'),
      max: checkInteger(max, 'max', 1, limits.batchSize),
      leaseDuration: durationToMs(lease, 'leaseDuration', LEASE_MIN_MS),
      bound: false,
      perGroup: 1,
    };
    idleQueues.used(name);
    return broker.receive<T>(name, take, {
      waitMs: durationToMs(waitMs ?? 0, 'waitMs'),
      pollMs: DEFAULT_POLL_INTERVAL_MS,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  consume<T>(
    queue: QueueLike<T>,
    options: ConsumeOptions,
  ): AsyncGenerator<Delivery<T>, void, undefined> {
    const { topology, limits } = this.#parts;
    const { name, settings } = topology.queue(queueNameOf(queue));
    checkFields(options, CONSUME_FIELDS, 'The consume options');
    const { signal, consumerId = `stream-${++this.#streams}` } = options;
    const { batchSize = DEFAULT_BATCH_SIZE, pollInterval = DEFAULT_POLL_INTERVAL_MS } = options;
    const { leaseDuration = settings.leaseDuration } = options;
    return streamDeliveries<T>(
      {
        queueName: name,
        consumerId: checkName(consumerId, 'The consumer id'),
        batchSize: checkInteger(batchSize, 'batchSize', 1, limits.batchSize),
        leaseDuration: durationToMs(leaseDuration, 'leaseDuration', LEASE_MIN_MS),
        pollInterval: durationToMs(pollInterval, 'pollInterval', POLL_MIN_MS),
        signal,
      },
      this.#parts,
    );
  }
}
