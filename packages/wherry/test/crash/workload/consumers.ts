import { setTimeout as sleep } from 'node:timers/promises';
import { type Consumer, type MessageQueueSystem, StorageError } from '../../../src/index.ts';
import type { Random } from '../random.ts';
import type { Deliveries, Receiver } from './deliveries.ts';
import type { Gate } from './gate.ts';
import type { Handlers } from './handlers.ts';

export interface ConsumersParts {
  readonly mq: MessageQueueSystem;
  readonly deliveries: Deliveries;
  readonly handlers: Handlers;
  readonly gate: Gate;
  readonly random: Random;
  /**
   * Of consumers that keep their leases, in milliseconds: long against the life of a process that
   * is alone, so that it ends only with it, or when a consumer says so.
   */
  readonly leaseDuration: number;
  /** Milliseconds for which somebody who asks for messages waits for them at most. */
  readonly waitMs: number;
  /** Milliseconds after which somebody who loops over messages leaves at the latest. */
  readonly stayMs: number;
  readonly signal: AbortSignal;
}

/** After the store failed. */
const WAIT_MS = 20;

/** Consumers of all kinds, as the random numbers choose them. */
export class Consumers {
  readonly #parts: ConsumersParts;
  readonly #consumers: Consumer[] = [];
  #taken = 0;

  constructor(parts: ConsumersParts) {
    this.#parts = parts;
  }

  /** Begins to consume a queue. @returns what ends when all its loops have */
  async start(queue: string): Promise<void> {
    const { random } = this.#parts;
    const kinds = { handler: 6, batch: queue === 'batched' ? 12 : 2, receive: 4, loop: 3 };
    const running: Promise<void>[] = [];
    for (let left = random.integer(1, 2); left > 0; left--) {
      const kind = random.weighted(kinds);
      if (kind === 'handler' || kind === 'batch') await this.#consume(queue, kind);
      else running.push(kind === 'receive' ? this.#receive(queue) : this.#loop(queue));
    }
    await Promise.all(running);
  }

  /** All consumers give back what they have not begun, until `resume`. */
  async pause(): Promise<void> {
    for (const consumer of this.#consumers) consumer.pause();
    while (this.#consumers.some(({ stats }) => stats.running > 0)) await sleep(2);
  }

  resume(): void {
    for (const consumer of this.#consumers) consumer.resume();
  }

  async #consume(queue: string, kind: 'handler' | 'batch'): Promise<void> {
    const { mq, random, deliveries, handlers, leaseDuration } = this.#parts;
    const id = `${kind}-${queue}-${this.#consumers.length}`;
    const receiver: Receiver = { consumer: id, bound: true, leaseDuration };
    const config = {
      id,
      queueName: queue,
      batchSize: random.integer(1, 8),
      concurrency: random.integer(1, 4),
      leaseDuration,
      // A lost wake-up must not go unnoticed: the drain's deadline is shorter.
      pollInterval: '60s',
    } as const;
    const consumer = await mq.createConsumer(
      kind === 'handler'
        ? {
            ...config,
            handler: (delivery) => {
              deliveries.delivered([delivery], receiver, true);
              return handlers.handle(delivery);
            },
          }
        : {
            ...config,
            batchHandler: (batch) => {
              deliveries.delivered(batch, receiver, true);
              return handlers.handleBatch(batch);
            },
          },
    );
    this.#consumers.push(consumer);
  }

  async #receive(queue: string): Promise<void> {
    const { mq, random, deliveries, handlers, waitMs, signal } = this.#parts;
    const held = new Set<Promise<void>>();
    while (!signal.aborted) {
      await this.#passing(async () => {
        // Each its own consumer, so that an id and a consumer name one lease.
        const consumer = `receive-${queue}-${++this.#taken}`;
        const leaseDuration = random.integer(120, 400);
        const max = random.integer(1, 6);
        const options = { max, leaseDuration, waitMs: random.integer(0, waitMs) };
        const batch = await mq.receiveMessage(queue, consumer, options);
        deliveries.delivered(batch, { consumer, bound: false, leaseDuration }, false);
        for (const delivery of batch) {
          const holding = handlers.holdAlone(delivery, leaseDuration);
          held.add(holding);
          void holding.then(() => held.delete(holding));
        }
        await Promise.race([sleep(30), Promise.all(held)]);
      });
    }
    await Promise.all(held);
  }

  async #loop(queue: string): Promise<void> {
    const { mq, random, deliveries, handlers, leaseDuration, stayMs, signal } = this.#parts;
    while (!signal.aborted) {
      const consumerId = `loop-${queue}-${++this.#taken}`;
      const receiver: Receiver = { consumer: consumerId, bound: true, leaseDuration };
      const leave = new AbortController();
      const leaveNow = (): void => leave.abort();
      const timer = setTimeout(leaveNow, random.integer(50, stayMs));
      signal.addEventListener('abort', leaveNow);
      const options = { consumerId, batchSize: random.integer(1, 6), signal: leave.signal };
      const leased = { ...options, leaseDuration };
      await this.#passing(async () => {
        for await (const delivery of mq.consume(queue, leased)) {
          deliveries.delivered([delivery], receiver, true);
          await handlers.inLoop(delivery);
        }
      });
      clearTimeout(timer);
      signal.removeEventListener('abort', leaveNow);
    }
  }

  /** Works when the gate is open; a store that fails and says that this passes is tried again. */
  async #passing(work: () => Promise<void>): Promise<void> {
    try {
      await this.#parts.gate.pass(work);
    } catch (error) {
      if (!(error instanceof StorageError) || !error.retriable) throw error;
      await sleep(WAIT_MS);
    }
  }
}
