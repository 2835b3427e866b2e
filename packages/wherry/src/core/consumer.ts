import type { Clock, Timer } from './clock.ts';
import { Delivery } from './delivery.ts';
import type { Driver } from './driver.ts';
import { ClosedError, TimeoutError } from './errors.ts';
import type { Events } from './events.ts';
import type { Failure } from './failure-policy.ts';
import { HandlerOutcomes, failureOf } from './handler-outcomes.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import type { MessageBroker } from './message-broker.ts';
import { asksForReply } from './replier.ts';
import type { Settler } from './settler.ts';
import type { Wakeups } from './wakeups.ts';

/** Handles one message: returning acknowledges it, throwing retries it. */
export type MessageHandler<T> = (delivery: Delivery<T>) => unknown;
/** Handles several at once: returning acknowledges those not settled yet, throwing retries them. */
export type BatchHandler<T> = (deliveries: Delivery<T>[]) => unknown;

/** A consumer's settings with nothing left to default. Times in milliseconds. */
export interface ConsumerSettings<T> {
  readonly id: string;
  readonly name: string;
  readonly queueName: string;
  readonly handle:
    | { readonly per: 'message'; readonly handler: MessageHandler<T> }
    | { readonly per: 'batch'; readonly handler: BatchHandler<T> };
  readonly batchSize: number;
  readonly concurrency: number;
  readonly pollInterval: number;
  readonly leaseDuration: number;
  readonly handlerTimeout: number | null;
}

export interface ConsumerParts {
  readonly broker: MessageBroker;
  readonly driver: Driver;
  readonly settler: Settler;
  readonly wakeups: Wakeups;
  readonly events: Events;
  readonly clock: Clock;
  /** Told when a consumer has stopped. */
  readonly stopped?: (id: string) => void;
}

/** What a consumer has done and is doing. */
export interface ConsumerStats {
  readonly handled: number;
  readonly failed: number;
  /** Handlers running now. */
  readonly running: number;
  /** Taken, and waiting for a handler. */
  readonly buffered: number;
}

/** What one run of the handler gets. */
type Work<T> = Delivery<T> | Delivery<T>[];

type State = 'idle' | 'running' | 'paused' | 'stopping';

/** Handlers begun in one go before I/O gets a turn. */
const SLICE = 128;
/** How long to wait after a take that failed; doubled up to the ceiling. */
const ERROR_DELAY_MS = 100;
const ERROR_DELAY_MAX_MS = 5_000;

/**
 * Takes messages of one queue and runs a handler on each. It is woken when there is something to
 * take, keeps the leases alive while handlers run, and settles by how they end.
 */
export class Consumer<T = unknown> {
  readonly id: string;
  readonly name: string;
  readonly queueName: string;
  readonly createdAt: Date;
  readonly #settings: ConsumerSettings<T>;
  readonly #parts: ConsumerParts;
  readonly #keeper: LeaseKeeper;
  readonly #outcomes: HandlerOutcomes;
  /** Most messages held at a time, waiting and running. */
  readonly #capacity: number;
  #state: State = 'idle';
  #buffer: Delivery<T>[] = [];
  #next = 0;
  /** Handlers running, and the messages they have. */
  #runs = 0;
  #running = 0;
  #fetching: Promise<void> | null = null;
  #wakened = false;
  #poll: Timer | null = null;
  #unlisten: (() => void) | null = null;
  #yielding = false;
  #errorDelay = 0;
  #stopped: Promise<void> | null = null;
  #whenIdle: (() => void) | null = null;

  constructor(settings: ConsumerSettings<T>, parts: ConsumerParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.id = settings.id;
    this.name = settings.name;
    this.queueName = settings.queueName;
    this.createdAt = new Date(parts.clock.now());
    this.#capacity = capacityOf(settings);
    const report = (error: unknown): void => this.#report(error);
    this.#keeper = new LeaseKeeper(parts.driver, parts.clock, settings.leaseDuration, report);
    this.#outcomes = new HandlerOutcomes(parts.settler, this.#keeper, report);
  }

  get running(): boolean {
    return this.#state === 'running' || this.#state === 'paused';
  }

  get paused(): boolean {
    return this.#state === 'paused';
  }

  get stats(): ConsumerStats {
    return {
      handled: this.#outcomes.handled,
      failed: this.#outcomes.failed,
      running: this.#running,
      buffered: this.#buffer.length - this.#next,
    };
  }

  /** Begins to take messages. Does nothing when it runs already. @throws ClosedError after a stop */
  start(): void {
    if (this.#stopped !== null) throw new ClosedError(`Consumer '${this.id}'`);
    if (this.#state !== 'idle') return;
    this.#state = 'running';
    this.#unlisten = this.#parts.wakeups.onReady(this.queueName, () => {
      this.#wakened = true;
      this.#pump();
    });
    this.#pump();
  }

  /** No further handler begins; what waits for one goes back to the queue without counting. */
  pause(): void {
    if (this.#state !== 'running') return;
    this.#state = 'paused';
    this.#releaseBuffer();
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    this.#pump();
  }

  /**
   * Stops gracefully (G15): no new messages, running handlers finish, what was taken but not begun
   * goes back without counting.
   * @param deadline milliseconds until running handlers' signals fire and their leases are
   *   released, which counts as a retry
   */
  stop(deadline = 10_000): Promise<void> {
    this.#stopped ??= this.#stop(deadline);
    return this.#stopped;
  }

  async #stop(deadline: number): Promise<void> {
    this.#state = 'stopping';
    this.#unlisten?.();
    this.#poll?.cancel();
    this.#releaseBuffer();
    const timer = this.#parts.clock.setTimer(() => this.#abandon(), deadline);
    await this.#fetching;
    if (this.#runs > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    timer.cancel();
    this.#keeper.close();
    await this.#parts.settler.idle();
    this.#parts.stopped?.(this.id);
  }

  /** The deadline has passed: handlers are told, and their messages go to others. */
  #abandon(): void {
    const error = new ClosedError(`Consumer '${this.id}'`);
    for (const delivery of this.#keeper.held) {
      this.#outcomes.abandon(delivery, { kind: 'failed', error, delay: 0 });
    }
    this.#whenIdle?.();
  }

  /** Begins what can begin and fetches what can be held. */
  #pump(): void {
    if (this.#state !== 'running') return;
    this.#begin();
    const { batchSize } = this.#settings;
    const buffered = this.#buffer.length - this.#next;
    const room = this.#capacity - buffered - this.#running;
    // The next batch is fetched while the second half of this one is worked on.
    if (this.#fetching !== null || buffered > batchSize / 2 || room <= 0) return;
    if (this.#poll !== null && !this.#wakened) return;
    this.#poll?.cancel();
    this.#poll = null;
    this.#fetching = this.#fetch(Math.min(batchSize, room)).finally(() => {
      this.#fetching = null;
      this.#pump();
    });
  }

  async #fetch(max: number): Promise<void> {
    const { id, leaseDuration, handle, queueName, pollInterval } = this.#settings;
    this.#wakened = false;
    let wait = pollInterval;
    try {
      const { deliveries, retryIn } = await this.#parts.broker.take<T>(queueName, {
        consumerId: id,
        max,
        leaseDuration,
        bound: true,
        perGroup: handle.per === 'batch' ? max : 1,
      });
      this.#errorDelay = 0;
      if (deliveries.length > 0) {
        this.#accept(deliveries);
        return;
      }
      wait = Math.min(wait, retryIn ?? Infinity);
    } catch (error) {
      this.#report(error);
      this.#errorDelay = Math.min(ERROR_DELAY_MAX_MS, this.#errorDelay * 2 || ERROR_DELAY_MS);
      wait = this.#errorDelay;
      this.#wakened = false;
    }
    if (this.#state === 'stopping') return;
    this.#poll = this.#parts.clock.setTimer(() => {
      this.#wakened = true;
      this.#pump();
    }, wait);
  }

  #accept(taken: Delivery<T>[]): void {
    if (this.#next > 0) {
      this.#buffer = this.#buffer.slice(this.#next);
      this.#next = 0;
    }
    for (const delivery of taken) {
      this.#keeper.add(delivery);
      this.#buffer.push(delivery);
    }
    if (this.#state !== 'running') this.#releaseBuffer();
  }

  #begin(): void {
    const { concurrency, handle } = this.#settings;
    for (let begun = 0; this.#runs < concurrency && this.#next < this.#buffer.length; begun++) {
      if (begun === SLICE) {
        this.#yield();
        return;
      }
      if (handle.per === 'message') {
        const delivery = this.#buffer[this.#next++] as Delivery<T>;
        if (this.#isFresh(delivery)) this.#run(delivery);
      } else {
        const batch = this.#buffer.slice(this.#next).filter((delivery) => this.#isFresh(delivery));
        this.#next = this.#buffer.length;
        if (batch.length > 0) this.#run(batch);
      }
    }
  }

  /** However long the message waited here for its turn: else it goes back. */
  #isFresh(delivery: Delivery<T>): boolean {
    if (delivery.mayBegin(this.#parts.clock.now())) return true;
    this.#outcomes.giveBack(delivery);
    return false;
  }

  /** Lets I/O have a turn, then goes on. */
  #yield(): void {
    if (this.#yielding) return;
    this.#yielding = true;
    this.#parts.clock.setTimer(() => {
      this.#yielding = false;
      this.#pump();
    }, 0);
  }

  #run(work: Work<T>): void {
    this.#runs++;
    this.#running += sizeOf(work);
    const timer = this.#startTimeout(work);
    let result: unknown;
    try {
      result = this.#handle(work);
    } catch (error) {
      this.#ended(work, timer, failureOf(error));
      return;
    }
    if (result === null || typeof (result as PromiseLike<unknown>)?.then !== 'function') {
      this.#ended(work, timer, null);
      return;
    }
    (result as PromiseLike<unknown>).then(
      () => this.#endedLater(work, timer, null),
      (error: unknown) => this.#endedLater(work, timer, failureOf(error)),
    );
  }

  #handle(work: Work<T>): unknown {
    const { handle } = this.#settings;
    if (handle.per === 'batch') return handle.handler(work as Delivery<T>[]);
    const delivery = work as Delivery<T>;
    const result = handle.handler(delivery);
    return asksForReply(delivery.stored) ? this.#outcomes.answer(delivery, result) : result;
  }

  #endedLater(work: Work<T>, timer: Timer | null, failure: Failure | null): void {
    this.#ended(work, timer, failure);
    this.#pump();
  }

  #ended(work: Work<T>, timer: Timer | null, failure: Failure | null): void {
    timer?.cancel();
    this.#runs--;
    this.#running -= sizeOf(work);
    if (work instanceof Delivery) this.#outcomes.conclude(work, failure);
    else for (const delivery of work) this.#outcomes.conclude(delivery, failure);
    if (this.#runs === 0) this.#whenIdle?.();
  }

  #startTimeout(work: Work<T>): Timer | null {
    const { handlerTimeout } = this.#settings;
    if (handlerTimeout === null) return null;
    return this.#parts.clock.setTimer(() => {
      const error = new TimeoutError(`The handler of consumer '${this.id}'`, handlerTimeout);
      // The handler goes on running, if it does not heed the signal, but its message is not its own
      // any more, and its place is taken only when it ends: concurrency stays what was asked for.
      for (const delivery of work instanceof Delivery ? [work] : work) {
        this.#outcomes.abandon(delivery, { kind: 'failed', error });
      }
    }, handlerTimeout);
  }

  #releaseBuffer(): void {
    const waiting = this.#buffer.slice(this.#next);
    this.#buffer = [];
    this.#next = 0;
    for (const delivery of waiting) this.#outcomes.giveBack(delivery);
  }

  #report(error: unknown): void {
    const { queueName, id } = this.#settings;
    this.#parts.events.emit('consumerError', { queue: queueName, consumerId: id, error });
  }
}

/** With `batchSize: 1` nothing is held beyond what runs: others may have it. */
export function capacityOf(settings: {
  readonly handle: { readonly per: 'message' | 'batch' };
  readonly batchSize: number;
  readonly concurrency: number;
}): number {
  const { handle, batchSize, concurrency } = settings;
  return handle.per === 'batch' ? batchSize * concurrency : batchSize + concurrency - 1;
}

function sizeOf(work: Work<unknown>): number {
  return work instanceof Delivery ? 1 : work.length;
}
