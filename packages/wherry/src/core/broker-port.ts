import type { Clock } from './clock.ts';
import { appendDeath } from './deaths.ts';
import type {
  Capabilities,
  Driver,
  NewMessage,
  PublishItem,
  QueueRef,
  StoredMessage,
  TakeRequest,
  TakeResult,
  TopologyChange,
} from './driver.ts';
import { QueueFullError, QueueNotFoundError, ValidationError } from './errors.ts';
import type { Events } from './events.ts';
import type { ExchangeManager } from './exchange-manager.ts';
import type { FailurePolicy } from './failure-policy.ts';
import { SetAside, refuseDamaged, tellDelivered } from './handing-out.ts';
import type { Held } from './held.ts';
import type { IdleQueues } from './idle-queues.ts';
import { show } from './limits.ts';
import type { Headers } from './message.ts';
import { type Publisher, isPublished } from './publisher.ts';
import type { QueueManager } from './queue-manager.ts';
import { RETRIES_MAX } from './queue-settings.ts';
import type { Queue } from './queue.ts';
import type { Binding, Exchange } from './routing/exchange.ts';
import type { BindingFilter } from './routing/router.ts';
import type { Settler } from './settler.ts';
import type { Sweeper } from './sweeper.ts';
import type { Topology } from './topology.ts';
import type { Wakeups } from './wakeups.ts';

/** A leased message, not decoded, with the proof of the lease. */
export type HeldMessage = Held;

/** Of a message that is to be stored: the queues that get it, and what they get. */
export interface PortItem {
  readonly queues: readonly string[];
  readonly message: NewMessage;
}

/** As whom messages are taken, how many, and for how many milliseconds. */
export type PortTake = Pick<TakeRequest, 'consumerId' | 'max' | 'leaseDuration' | 'bound'>;

export interface PortTaken {
  readonly messages: readonly HeldMessage[];
  /** With how many milliseconds to wait for a rate limit, or null. */
  readonly retryIn: number | null;
}

/** Somebody who is given what arrives in a queue, as it arrives. */
export interface PortTaker {
  /** Asked when messages are there that nobody has: how many it takes now. */
  room(): number;
  /** Told what it got, soon after each time that it had room. */
  taken(taken: PortTaken): void;
}

const NOTHING: PortTaken = { messages: [], retryIn: null };

export interface BrokerPortParts {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly policy: FailurePolicy;
  readonly topology: Topology;
  readonly events: Events;
  readonly exchanges: ExchangeManager;
  readonly queues: QueueManager;
  readonly idleQueues: IdleQueues;
  readonly publisher: Publisher;
  readonly settler: Settler;
  readonly sweeper: Sweeper;
  readonly wakeups: Wakeups;
}

const ports = new WeakMap<object, BrokerPort>();

/** @param system a `MessageQueueSystem` */
export function setBrokerPort(system: object, port: BrokerPort): void {
  ports.set(system, port);
}

/** @param system a `MessageQueueSystem` @throws ValidationError when it is none */
export function brokerPort(system: object): BrokerPort {
  const port = ports.get(system);
  if (port !== undefined) return port;
  throw new ValidationError(`system is ${show(system)}; it must be a MessageQueueSystem.`);
}

/**
 * What a server that speaks a protocol of its own works with: messages as they are stored, without
 * promises and without decoding, by the same policy as everybody's. (`brokerPort(mq)`)
 */
export class BrokerPort {
  readonly #parts: BrokerPortParts;
  readonly #setAside: SetAside;

  constructor(parts: BrokerPortParts) {
    this.#parts = parts;
    this.#setAside = new SetAside(parts.settler, parts.events);
  }

  /** What the store holds, as data. */
  get supports(): Capabilities {
    return this.#parts.driver.supports;
  }

  /** Whether it may have been handed out before: in a store that was not closed, whatever is older. */
  isRedelivered({ deliveryCount, timestamp }: StoredMessage): boolean {
    return deliveryCount > 1 || timestamp <= (this.#parts.driver.recoveredAt ?? 0);
  }

  findQueue(name: string): Queue | undefined {
    return this.#parts.topology.findQueue(name);
  }

  queues(): Queue[] {
    return this.#parts.topology.queues();
  }

  findExchange(name: string): Exchange | undefined {
    return this.#parts.topology.router.getExchange(name);
  }

  exchanges(): Exchange[] {
    return this.#parts.exchanges.listExchanges();
  }

  bindings(filter?: BindingFilter): Binding[] {
    return this.#parts.exchanges.listBindings(filter);
  }

  /** Calls back after each change, once the look-ups show it. @returns how to stop */
  watch(listener: (change: TopologyChange) => void): () => void {
    return this.#parts.topology.watch(listener);
  }

  /**
   * Says which queues a message reaches.
   * @param exchange '' is the default exchange
   * @param routingKeys every exchange looks at all of them; a queue is named once
   * @param headers what headers exchanges look at
   * @throws ExchangeNotFoundError
   * @throws ValidationError when the exchange is internal, or a key too long
   */
  route(
    exchange: string,
    routingKeys: readonly string[],
    headers: Headers | null,
  ): readonly string[] {
    return this.#parts.topology.router.routeByAll(exchange, routingKeys, headers).queues;
  }

  /**
   * Stores a message in every queue, or in none, together with what else is outstanding. A queue that
   * is full refuses at once.
   * @param done called in the order of the calls, once it is durable (null), or with QueueFullError,
   *   QueueNotFoundError, StorageError or ClosedError
   */
  publish(
    queues: readonly string[],
    message: NewMessage,
    done: (error: Error | null) => void,
  ): void {
    const { topology, publisher } = this.#parts;
    let targets: readonly QueueRef[];
    try {
      targets =
        queues.length === 1
          ? topology.targets(queues[0]!)
          : queues.map((queue) => topology.ref(queue));
    } catch (error) {
      done(error as Error);
      return;
    }
    const stored = (): void => done(null);
    publisher.add(targets, message, null, stored, done as (error: unknown) => void);
  }

  /**
   * Stores all of them or none.
   * @throws QueueFullError, QueueNotFoundError, StorageError, ClosedError
   */
  async publishAtomic(items: readonly PortItem[]): Promise<void> {
    const { topology, publisher } = this.#parts;
    const reached = items.filter(({ queues }) => queues.length > 0);
    const prepared = reached.map(({ queues, message }): PublishItem => ({
      targets: queues.map((queue) => topology.ref(queue)),
      message,
    }));
    if (prepared.length === 0) return;
    for (const outcome of await publisher.publishAtomic(prepared)) {
      if (!isPublished(outcome)) throw publisher.refusal(outcome);
    }
  }

  /**
   * Lets a message die before its queue has taken it: it goes where the queue's dead messages go,
   * as far as there is room, and else nowhere.
   * @param done null, also when it went nowhere; StorageError, ClosedError
   */
  bury(
    queueName: string,
    message: NewMessage,
    reason: 'expired' | 'overflow',
    done: (error: Error | null) => void,
  ): void {
    const { topology, policy, clock } = this.#parts;
    const queue = topology.findQueue(queueName);
    if (queue === undefined) return done(null);
    const { deaths = [] } = message;
    const decision = policy.bury(
      queue,
      { ...message, queueName, deaths },
      { queue: queueName, reason },
    );
    if (decision.action !== 'move' || decision.to.length === 0) return done(null);
    const { to, death } = decision;
    const dead: NewMessage = {
      ...message,
      delay: 0,
      deliverAt: null,
      ttl: null,
      deduplicationId: null,
      deaths: appendDeath(deaths, death, clock.now()),
    };
    let left = to.length;
    let failure: Error | null = null;
    for (const target of to) {
      this.publish([target], dead, (error) => {
        const hasNoRoom = error instanceof QueueFullError || error instanceof QueueNotFoundError;
        if (!hasNoRoom) failure ??= error;
        if (--left === 0) done(failure);
      });
    }
  }

  /**
   * Leases messages as they are stored. A damaged one, or one that is parked, goes the way that it
   * would go with every other consumer.
   * @param request.max most messages @param request.leaseDuration milliseconds
   * @returns with how many milliseconds to wait for a rate limit, or null
   * @throws QueueNotFoundError, StorageError
   */
  async take(queue: string, request: PortTake): Promise<PortTaken> {
    const full = this.#requestOf(queue, request);
    if (full === null) return NOTHING;
    return this.#handOut(full.queue, request, await this.#parts.driver.take(full));
  }

  /**
   * Where the store can: takes messages of a queue in the very commit that makes them ready. `onReady`
   * tells of what is not taken so.
   * @param terms.leaseDuration milliseconds
   * @returns how to stop
   * @throws QueueNotFoundError
   */
  takeArrivals(queue: string, terms: Omit<PortTake, 'max'>, taker: PortTaker): () => void {
    const { driver, topology } = this.#parts;
    const ref = topology.ref(queue);
    const stop = driver.takeArrivals?.(ref, {
      request: () => {
        if (topology.findQueue(queue) === undefined) return null;
        const request = this.#requestOf(queue, { ...terms, max: 0 });
        if (request?.early !== true) return null;
        const max = taker.room();
        return max > 0 ? { ...request, max } : null;
      },
      taken: (result) => taker.taken(this.#handOut(ref, terms, result)),
    });
    return stop ?? ((): void => {});
  }

  /** leased -> gone. */
  settle(held: HeldMessage, done: (error: Error | null) => void): void {
    this.#parts.settler.settle(held, (_held, error) => done(error));
  }

  /** leased -> gone, of a message that is not stored yet. @returns false: it has to be settled */
  settleAtOnce(held: HeldMessage): boolean {
    return this.#parts.settler.settleAtOnce(held);
  }

  /** leased -> back to its old place. @param as 'unstarted': nobody saw it, nothing counts */
  giveBack(
    held: HeldMessage,
    as: 'requeue' | 'unstarted',
    done: (error: Error | null) => void,
  ): void {
    this.#parts.settler.giveBack(held, as, (_held, error) => done(error));
  }

  /** leased -> dead-lettered, or dropped, as the queue says. */
  fail(
    held: HeldMessage,
    reason: 'rejected' | 'delivery-limit' | 'expired' | 'overflow',
    done: (error: Error | null) => void,
  ): void {
    const failure =
      reason === 'rejected' ? { kind: reason, error: undefined } : ({ kind: reason } as const);
    this.#parts.settler.settleFailure(held, failure, true, (_held, error) => done(error));
  }

  /**
   * leased -> dead-lettered as invalid: nobody can be given it, and nobody has refused it.
   * @param error why
   */
  setAside(held: HeldMessage, error: unknown, done: (error: Error | null) => void): void {
    const failure = { kind: 'invalid', error } as const;
    this.#parts.settler.settleFailure(held, failure, true, (_held, failed) => done(failed));
  }

  /**
   * The leases end `leaseDuration` milliseconds from now.
   * @returns those that were lost @throws StorageError
   */
  async extend(
    held: readonly HeldMessage[],
    leaseDuration: number,
  ): Promise<readonly HeldMessage[]> {
    if (held.length === 0) return [];
    const items = held.map((receipt) => ({ receipt, leaseDuration }));
    const lost = await this.#parts.driver.extend(items);
    this.#parts.sweeper.expectWithin(leaseDuration);
    return lost.map((i) => held[i]!);
  }

  /** Calls back when the queue may have messages: a hint, never a promise. @returns how to stop */
  onReady(queue: string, listener: () => void): () => void {
    return this.#parts.wakeups.onReady(queue, listener);
  }

  /** The queue counts as used (`expiresAfterIdle`). */
  touch(queue: string): void {
    this.#parts.idleQueues.used(queue);
  }

  /** Asks this, too, how many consumers a queue has. @returns how to stop */
  countConsumersWith(count: (queue: string) => number): () => void {
    return this.#parts.queues.countConsumersWith(count);
  }

  /** @returns null: nothing may be taken @throws QueueNotFoundError */
  #requestOf(queue: string, request: PortTake): TakeRequest | null {
    const { topology, idleQueues } = this.#parts;
    idleQueues.used(queue);
    const { paused, maxRetries } = topology.queue(queue).settings;
    if (paused) return null;
    // Where deliveries do not run out, nothing hangs on a count that a crash may lose.
    const early = maxRetries >= RETRIES_MAX;
    return { queue: topology.ref(queue), perGroup: 1, early, ...request };
  }

  #handOut(
    queue: QueueRef,
    terms: Pick<PortTake, 'consumerId' | 'leaseDuration'>,
    { messages, retryIn }: TakeResult,
  ): PortTaken {
    if (messages.length === 0) return { messages: [], retryIn };
    const { sweeper, events } = this.#parts;
    sweeper.expectWithin(terms.leaseDuration);
    const held: HeldMessage[] = [];
    for (const stored of messages) {
      const one = { queue, id: stored.id, token: stored.lease.token, stored };
      if (this.#mayHandOut(one)) held.push(one);
    }
    tellDelivered(events, queue.name, held, terms);
    return { messages: held, retryIn };
  }

  #mayHandOut(held: HeldMessage): boolean {
    const { stored } = held;
    if (stored.parked !== null) {
      this.#setAside.parked(held);
      return false;
    }
    try {
      refuseDamaged(stored);
      return true;
    } catch (error) {
      this.#setAside.invalid(held, error);
      return false;
    }
  }
}
