import { payloadOf } from './amqp-content.ts';
import type { Clock } from './clock.ts';
import { type AcknowledgeOptions, Delivery, envelopeOf } from './delivery.ts';
import type { Driver, LeasedMessage, PublishItem, QueueRef, StoredMessage } from './driver.ts';
import { ClosedError, LeaseLostError, MessageNotFoundError, ValidationError } from './errors.ts';
import { checkInteger, show } from './limits.ts';
import type { Events } from './events.ts';
import type { Failure } from './failure-policy.ts';
import type { Envelope, MessageState } from './message.ts';
import type { BlockOptions, Published, Publisher } from './publisher.ts';
import type { PayloadSchema, Queue } from './queue.ts';
import { checkPayload } from './schema.ts';
import { SetAside, refuseDamaged, tellDelivered } from './handing-out.ts';
import type { Done, Held } from './held.ts';
import type { Settler } from './settler.ts';
import type { Sweeper } from './sweeper.ts';
import type { Topology } from './topology.ts';
import { type Wait, waitFor } from './wait.ts';
import { Turn, WaitingLine } from './waiting-line.ts';
import type { Wakeups } from './wakeups.ts';

/** What to take, and as whom. Durations in milliseconds. */
export interface TakeOptions {
  readonly consumerId: string;
  readonly max: number;
  readonly leaseDuration: number;
  /** The holder dies with this process: after a crash its leases have ended. */
  readonly bound: boolean;
  /** Most messages of one group. */
  readonly perGroup: number;
}

export interface Taken<T> {
  readonly deliveries: Delivery<T>[];
  /** Milliseconds until a rate limit that held something back lets the next one go, or null. */
  readonly retryIn: number | null;
}

export interface BrokerParts {
  readonly driver: Driver;
  readonly topology: Topology;
  readonly events: Events;
  readonly clock: Clock;
  readonly wakeups: Wakeups;
  readonly sweeper: Sweeper;
  readonly publisher: Publisher;
  readonly settler: Settler;
  readonly schemaOf: (queueName: string) => PayloadSchema | undefined;
}

const STATES: readonly MessageState[] = ['ready', 'scheduled', 'leased'];
const BROWSE_MAX = 1_000;

/** The policy between the managers and the store: what goes in, what is handed out, what ends. */
export class MessageBroker {
  readonly #parts: BrokerParts;
  readonly #waiting = new Set<Wait>();
  readonly #lines = new Map<string, WaitingLine>();
  readonly #setAside: SetAside;
  #closed = false;

  constructor(parts: BrokerParts) {
    this.#parts = parts;
    this.#setAside = new SetAside(parts.settler, parts.events);
  }

  /** Stores a message in every target, or in none. @throws QueueFullError, StorageError … */
  publishMessage(item: PublishItem, block: BlockOptions | null): Promise<Published> {
    return this.#parts.publisher.publish(item, block);
  }

  /**
   * Leases messages of a queue, highest priority first, and makes deliveries of them. What cannot
   * be delivered (damaged, not what the schema allows) goes to the dead letters instead.
   * @throws QueueNotFoundError, StorageError
   */
  async take<T>(queueName: string, options: TakeOptions): Promise<Taken<T>> {
    const { driver, topology, sweeper } = this.#parts;
    const queue = topology.queue(queueName);
    if (queue.settings.paused) return { deliveries: [], retryIn: null };
    const ref = topology.ref(queueName);
    const askedAt = this.#parts.clock.now();
    const { messages, retryIn } = await driver.take({ queue: ref, ...options });
    if (messages.length === 0) return { deliveries: [], retryIn };
    sweeper.expectWithin(options.leaseDuration);
    // Between the store's clock and this one only spans are comparable: a lease began one
    // leaseDuration before its end, and not before it was asked for.
    const ahead = askedAt + options.leaseDuration;
    const deliveries = await this.#admit<T>(queue, ref, messages, ahead);
    tellDelivered(this.#parts.events, queueName, deliveries, options);
    return { deliveries, retryIn };
  }

  /**
   * As `take`, but waits for the first message: in line with the others who wait for one.
   * @param waitMs how long at most; 0: not at all
   * @param pollMs how often to look without having been woken
   * @throws ClosedError when the system is closed meanwhile
   */
  async receive<T>(
    queueName: string,
    options: TakeOptions,
    wait: { readonly waitMs: number; readonly pollMs: number; readonly signal?: AbortSignal },
  ): Promise<Delivery<T>[]> {
    const { clock } = this.#parts;
    const deadline = clock.now() + wait.waitMs;
    const turn = new Turn();
    let line: WaitingLine | null = null;
    let deliveries: Delivery<T>[] = [];
    const unfollow = wait.waitMs > 0 ? this.#parts.wakeups.follow(queueName) : null;
    try {
      for (;;) {
        wait.signal?.throwIfAborted();
        if (this.#closed) throw new ClosedError('The message queue system');
        // Listening begins before the look, so that nothing that comes between is missed.
        const isLooking = line === null || turn.isMine;
        const woken = waitFor((wake) =>
          isLooking ? this.#parts.wakeups.onReady(queueName, wake) : turn.onMine(wake),
        );
        let pause = Infinity;
        if (isLooking) {
          const taken = await this.#look<T>(queueName, options, woken);
          ({ deliveries } = taken);
          pause = Math.min(wait.pollMs, taken.retryIn ?? Infinity);
        }
        const left = deadline - clock.now();
        if (deliveries.length > 0 || left <= 0) {
          woken.cancel();
          return deliveries;
        }
        line ??= this.#lineOf(`${wait.pollMs} ${queueName}`);
        if (isLooking && !line.mayGoOn(turn)) woken.cancel();
        else await this.#sleep(woken, Math.min(left, pause), wait.signal);
      }
    } finally {
      line?.leave(turn, deliveries.length > 0);
      unfollow?.();
    }
  }

  /** Those who wait for a message are told that none will come. */
  close(): void {
    this.#closed = true;
    for (const wait of this.#waiting) wait.cancel();
  }

  /** The stored message, or null. */
  async getMessage(id: string): Promise<Envelope | null> {
    const stored = await this.#parts.driver.get(id);
    return stored === null ? null : readEnvelope(stored);
  }

  async browse(
    queueName: string,
    request: { state: MessageState; cursor?: string | undefined; limit: number },
  ): Promise<{ messages: Envelope[]; cursor: string | null }> {
    const queue = this.#parts.topology.ref(queueName);
    if (!STATES.includes(request.state)) {
      throw new ValidationError(
        `state is ${show(request.state)}; it must be one of ${STATES.join(', ')}.`,
      );
    }
    checkInteger(request.limit, 'limit', 1, BROWSE_MAX);
    const page = await this.#parts.driver.browse({ queue, ...request });
    return { messages: page.messages.map(readEnvelope), cursor: page.cursor };
  }

  /** @throws LeaseLostError, MessageNotFoundError */
  async acknowledgeMessage(
    id: string,
    consumerId: string,
    options: AcknowledgeOptions = {},
  ): Promise<void> {
    const { settler } = this.#parts;
    const transaction = settler.transactionIn(options);
    const held = await this.#heldBy(id, consumerId);
    if (transaction === undefined) await settled((done) => settler.settle(held, done));
    else await settler.settleWithin(transaction, held);
  }

  /** @throws LeaseLostError, MessageNotFoundError */
  async failMessage(id: string, consumerId: string, failure: Failure): Promise<void> {
    const held = await this.#heldBy(id, consumerId);
    await settled((done) => this.#parts.settler.settleFailure(held, failure, true, done));
  }

  /** Back to the queue without counting as a retry. @throws LeaseLostError, MessageNotFoundError */
  async requeueMessage(id: string, consumerId: string): Promise<void> {
    const held = await this.#heldBy(id, consumerId);
    await settled((done) => this.#parts.settler.giveBack(held, 'requeue', done));
  }

  /** @param leaseDuration milliseconds from now @throws LeaseLostError, MessageNotFoundError */
  async extendLease(id: string, consumerId: string, leaseDuration: number): Promise<void> {
    const receipt = await this.#heldBy(id, consumerId);
    const lost = await this.#parts.driver.extend([{ receipt, leaseDuration }]);
    this.#parts.sweeper.expectWithin(leaseDuration);
    if (lost.length > 0) throw new LeaseLostError(id);
  }

  #lineOf(name: string): WaitingLine {
    let line = this.#lines.get(name);
    if (line === undefined) {
      line = new WaitingLine(() => this.#lines.delete(name));
      this.#lines.set(name, line);
    }
    return line;
  }

  async #look<T>(queueName: string, options: TakeOptions, woken: Wait): Promise<Taken<T>> {
    try {
      return await this.take<T>(queueName, options);
    } catch (error) {
      woken.cancel();
      throw error;
    }
  }

  /** The public calls know a message by its id and their consumer id: the token is looked up. */
  async #heldBy(id: string, consumerId: string) {
    const stored = await this.#parts.driver.get(id);
    if (stored === null) throw new MessageNotFoundError(id);
    const { lease } = stored;
    if (lease === null || lease.consumerId !== consumerId) throw new LeaseLostError(id);
    const queue = this.#parts.topology.ref(stored.queueName);
    return { queue, id, token: lease.token, stored: stored as LeasedMessage };
  }

  async #admit<T>(
    queue: Queue,
    ref: QueueRef,
    leased: readonly LeasedMessage[],
    ahead: number,
  ): Promise<Delivery<T>[]> {
    const schema = this.#parts.schemaOf(queue.name);
    const deliveries: Delivery<T>[] = [];
    for (const stored of leased) {
      const held = (): Held => ({ queue: ref, id: stored.id, token: stored.lease.token, stored });
      if (stored.parked !== null) {
        this.#setAside.parked(held());
        continue;
      }
      try {
        let payload = readPayload(stored);
        if (schema !== undefined) {
          const checked = checkPayload(schema, payload, queue.name);
          payload = checked instanceof Promise ? await checked : checked;
        }
        const { expiresAt, lease } = stored;
        const staleAt = expiresAt === null ? Infinity : ahead + expiresAt - lease.until;
        const { settler } = this.#parts;
        deliveries.push(new Delivery<T>(ref, stored, payload as T, staleAt, ahead, settler));
      } catch (error) {
        this.#setAside.invalid(held(), error);
      }
    }
    return deliveries;
  }

  async #sleep(woken: Wait, ms: number, signal: AbortSignal | undefined): Promise<void> {
    const timer = this.#parts.clock.setTimer(woken.cancel, ms);
    signal?.addEventListener('abort', woken.cancel);
    this.#waiting.add(woken);
    if (this.#closed || signal?.aborted === true) woken.cancel();
    await woken.done;
    this.#waiting.delete(woken);
    timer.cancel();
    signal?.removeEventListener('abort', woken.cancel);
  }
}

function readPayload(stored: StoredMessage & { readonly damaged?: boolean }): unknown {
  refuseDamaged(stored);
  return payloadOf(stored);
}

/** For looking only: what cannot be decoded is shown as it is. */
function readEnvelope(stored: StoredMessage): Envelope {
  try {
    return envelopeOf(stored, readPayload(stored));
  } catch {
    return envelopeOf(stored, stored.body);
  }
}

function settled(start: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((_held, error) => (error === null ? resolve() : reject(error)));
  });
}
