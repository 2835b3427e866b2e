import { Batcher } from './batcher.ts';
import type { Clock } from './clock.ts';
import type { AcknowledgeOptions, Delivery, Settling } from './delivery.ts';
import {
  type Driver,
  type LostIndexes,
  type MoveOutcome,
  NEVER,
  type QueueRef,
  type Receipt,
  type ReleaseItem,
  type Transaction,
} from './driver.ts';
import { type Duration, durationToMs } from './duration.ts';
import { LeaseLostError, ValidationError } from './errors.ts';
import { type Events, tellEvicted } from './events.ts';
import type { Decision, Failure, FailurePolicy } from './failure-policy.ts';
import type {
  Claim,
  Done,
  Held,
  MoveEntry,
  ReleaseEntry,
  SettleEntry,
  SettlementEntry,
} from './held.ts';
import { checkFields } from './limits.ts';
import type { NewDeath } from './message.ts';
import { mayReturnTooMuch } from './queue.ts';
import type { Replier } from './replier.ts';
import type { Sweeper } from './sweeper.ts';
import { SettlementNews } from './settlement-news.ts';
import { joinTransaction } from './support.ts';
import type { Topology } from './topology.ts';
import type { Trimmer } from './trimmer.ts';

const MAX_BATCH = 1_024;
const MAX_CALLS = 2;
/** How long a message waits at its source before its full dead-letter queue is tried again. */
const PARK_RETRY_MS = 30_000;

export interface SettlerParts {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly topology: Topology;
  readonly events: Events;
  readonly policy: FailurePolicy;
  readonly sweeper: Sweeper;
  readonly replier: Replier;
}

/** Ends leases: settlements that are outstanding together become one call of the driver. */
export class Settler implements Settling {
  readonly #parts: SettlerParts;
  readonly #settles: Batcher<SettleEntry>;
  readonly #releases: Batcher<ReleaseEntry>;
  readonly #moves: Batcher<MoveEntry>;
  readonly #news: SettlementNews;
  #trimmer: Trimmer | null = null;

  constructor(parts: SettlerParts) {
    this.#parts = parts;
    this.#news = new SettlementNews(parts.events, parts.replier);
    this.#settles = new Batcher((batch) => this.#runSettles(batch), MAX_BATCH, MAX_CALLS);
    this.#releases = new Batcher((batch) => this.#runReleases(batch), MAX_BATCH, MAX_CALLS);
    this.#moves = new Batcher((batch) => this.#runMoves(batch), MAX_BATCH, MAX_CALLS);
  }

  /** Who trims queues with a dead-letter exchange, of parts that are made with this. */
  trimWith(trimmer: Trimmer): void {
    this.#trimmer = trimmer;
  }

  /** leased -> gone. */
  settle<T extends Claim>(held: T, done: Done<T>, as: SettleEntry['as'] = 'acknowledged'): void {
    if (this.settleAtOnce(held, as)) done(held, null);
    else this.#settles.add({ held, done: done as Done<Claim>, as });
  }

  /** leased -> gone, where that takes no commit. @returns whether it did not */
  settleAtOnce(held: Claim, as: SettleEntry['as'] = 'acknowledged'): boolean {
    if (this.#parts.driver.settleAtOnce?.(held) !== true) return false;
    this.#news.settled(held, as);
    return true;
  }

  /** leased -> back, without a word about why. */
  giveBack<T extends Claim>(held: T, as: ReleaseItem['as'], done: Done<T>): void {
    this.#release(held, { delay: 0, as }, done, nothing);
  }

  /**
   * leased -> as it was before it was taken by its id: with its delay, parked if it was parked.
   * @param takenAt when it was leased, by the store's clock
   */
  restore(held: Held, takenAt: number, done: Done): void {
    const { parked, availableAt } = held.stored;
    const left = availableAt >= NEVER ? Infinity : Math.max(0, availableAt - takenAt);
    this.#release(held, { delay: left, as: 'unstarted', parked }, done, nothing);
  }

  /**
   * leased -> retried, dead-lettered, parked or dropped, as the policy decides.
   * @param started whether a handler had it in this lease
   */
  settleFailure(held: Held, failure: Failure, started: boolean, done: Done): void {
    const { topology, policy, events } = this.#parts;
    const queue = topology.findQueue(held.queue.name);
    if (queue === undefined || queue.number !== held.queue.number) {
      return done(held, new LeaseLostError(held.id));
    }
    let decision;
    try {
      decision = policy.decide(queue, held.stored, failure);
    } catch (error) {
      // A handler's own retry delay can be wrong; the message then goes the usual way.
      events.emit('consumerError', {
        queue: queue.name,
        consumerId: held.stored.lease.consumerId,
        error,
      });
      decision = policy.decide(queue, held.stored, { kind: 'failed', error });
    }
    const hasExpired = failure.kind === 'expired';
    if (decision.action === 'drop') {
      return this.settle(held, done, hasExpired ? 'expired' : 'dropped');
    }
    if (hasExpired) this.#news.tell('expired', held);
    if (decision.action === 'retry') {
      this.#retry(held, decision, done);
    } else if (decision.action === 'move') {
      this.#moves.add({ held, done, ...decision, started });
    } else this.#park(held, decision.death, null, started, done);
  }

  /** A parked message came up again: is there room now? */
  retryMove(held: Held, death: NewDeath, done: Done): void {
    const { topology, policy } = this.#parts;
    const queue = topology.findQueue(held.queue.name);
    const decision = queue === undefined ? null : policy.bury(queue, held.stored, death);
    if (decision?.action !== 'move') this.#park(held, death, null, false, done);
    else this.#moves.add({ held, done, ...decision, started: false });
  }

  async acknowledge(delivery: Delivery, options: AcknowledgeOptions): Promise<void> {
    const transaction = this.transactionIn(options);
    delivery.failure = null;
    if (transaction !== undefined) await this.#acknowledgeWithin(transaction, delivery);
    else await this.#once(delivery, (done) => this.settle(delivery, done));
  }

  /** @throws UnsupportedError, ValidationError */
  transactionIn(options: AcknowledgeOptions): Transaction | undefined {
    checkFields(options, ['tx'], 'The acknowledge options');
    return options.tx === undefined ? undefined : joinTransaction(this.#parts.driver, options.tx);
  }

  /**
   * leased -> gone when the caller's transaction commits. Neither counted nor told: whether it
   * commits is not known here.
   * @throws LeaseLostError, and what the transaction's own library throws
   */
  async settleWithin(transaction: Transaction, held: Held): Promise<void> {
    const lost = await this.#parts.driver.settle([held], { transaction });
    if (lost.length > 0) throw this.#news.lost(held, false);
  }

  fail(delivery: Delivery, failure: Failure): Promise<void> {
    delivery.failure = failure;
    return this.#once(delivery, (done) => this.settleFailure(delivery, failure, true, done));
  }

  async reply(delivery: Delivery, payload: unknown): Promise<void> {
    if (delivery.replied) {
      throw new ValidationError(`Message '${delivery.id}' has been answered already.`);
    }
    delivery.replied = true;
    try {
      await this.#parts.replier.reply(delivery.stored, payload);
    } catch (error) {
      delivery.replied = false;
      throw error;
    }
  }

  async extend(delivery: Delivery, leaseDuration: Duration): Promise<void> {
    const ms = durationToMs(leaseDuration, 'leaseDuration');
    const askedAt = this.#parts.clock.now();
    const lost = await this.#parts.driver.extend([{ receipt: delivery, leaseDuration: ms }]);
    this.#parts.sweeper.expectWithin(ms);
    if (lost.length > 0) throw this.#news.lost(delivery);
    delivery.heldUntil = askedAt + ms;
  }

  /** Resolves when all that was asked for so far is done. */
  async idle(): Promise<void> {
    for (const batcher of [this.#moves, this.#releases, this.#settles]) await batcher.drain();
    // A refused move ends as a release.
    await this.#releases.drain();
  }

  /** It may be acknowledged again, in another transaction, if this one rolls back. */
  async #acknowledgeWithin(transaction: Transaction, delivery: Delivery): Promise<void> {
    if (delivery.settled) throw new LeaseLostError(delivery.id);
    delivery.inTransaction = true;
    try {
      await this.settleWithin(transaction, delivery);
    } catch (error) {
      delivery.settled = error instanceof LeaseLostError;
      throw error;
    }
  }

  #once(delivery: Delivery, start: (done: Done) => void): Promise<void> {
    if (delivery.settled) return Promise.reject(new LeaseLostError(delivery.id));
    delivery.settled = true;
    return new Promise((resolve, reject) => {
      start((_held, error) => {
        if (error === null) resolve();
        else {
          // After a failure of the store the caller may try again.
          delivery.settled = error instanceof LeaseLostError;
          delivery.inDoubt = !delivery.settled;
          reject(error);
        }
      });
    });
  }

  #retry(
    held: Held,
    { delay, error, suspect }: Extract<Decision, { action: 'retry' }>,
    done: Done,
  ): void {
    this.#release(held, { delay, as: 'retry', suspect }, done, () => {
      const retryCount = held.stored.retryCount + 1;
      this.#news.tell('retried', held, {
        delay,
        retryCount,
        ...(error === undefined ? {} : { error }),
      });
    });
  }

  #park(
    held: Held,
    death: NewDeath,
    waitingFor: string | null,
    started: boolean,
    done: Done,
  ): void {
    const delay = waitingFor === null ? Infinity : PARK_RETRY_MS;
    const as = started ? 'retry' : 'unstarted';
    this.#release(held, { delay, as, parked: death }, done, () => {
      this.#news.parked(held, waitingFor, death);
    });
  }

  #release<T extends Claim>(
    held: T,
    how: Omit<ReleaseItem, 'receipt'>,
    done: Done<T>,
    released: () => void,
  ): void {
    const item = { receipt: held, ...how };
    this.#releases.add({ held, done: done as Done<Claim>, item, released });
  }

  async #runSettles(batch: SettleEntry[]): Promise<void> {
    const receipts = batch.map((entry) => this.#receiptOf(entry.held));
    await this.#finish(batch, this.#parts.driver.settle(receipts), ({ held, as }) => {
      this.#news.settled(held, as);
    });
  }

  async #runReleases(batch: ReleaseEntry[]): Promise<void> {
    const items = batch.map(({ held, item }) => ({ ...item, receipt: this.#receiptOf(held) }));
    await this.#finish(batch, this.#releaseAndTrim(items), ({ item, released }) => {
      this.#parts.sweeper.expectWithin(item.delay);
      released();
    });
  }

  async #releaseAndTrim(items: readonly ReleaseItem[]): Promise<LostIndexes> {
    const { driver, topology } = this.#parts;
    const lost = await driver.release(items);
    for (const name of new Set(items.map(({ receipt }) => receipt.queue.name))) {
      if (mayReturnTooMuch(topology.findQueue(name))) await this.#trimmer?.trim(name);
    }
    return lost;
  }

  async #runMoves(batch: MoveEntry[]): Promise<void> {
    const { driver, topology, sweeper } = this.#parts;
    const isThere = (name: string): boolean => topology.findQueue(name) !== undefined;
    const ready = batch.filter((entry) => entry.to.every(isThere));
    for (const entry of batch) if (!ready.includes(entry)) this.#parkMove(entry, entry.to[0]!);
    const items = ready.map(({ held, to, death }) => ({
      receipt: this.#receiptOf(held),
      targets: to.map((name) => topology.ref(name)),
      death,
    }));
    let outcomes;
    try {
      outcomes = items.length === 0 ? [] : await driver.move(items);
    } catch (error) {
      for (const entry of ready) entry.done(entry.held, error as Error);
      return;
    }
    for (let i = 0; i < ready.length; i++) {
      const entry = ready[i] as MoveEntry;
      const outcome = outcomes[i] as MoveOutcome;
      if (outcome.status === 'moved') {
        for (const target of items[i]!.targets) {
          sweeper.expectMoved(target);
          this.#trim(target);
        }
        tellEvicted(this.#parts.events, outcome.evicted);
        this.#news.moved(entry.held, entry.to, entry.death);
        entry.done(entry.held, null);
      } else if (outcome.status === 'lost') entry.done(entry.held, this.#news.lost(entry.held));
      else this.#parkMove(entry, outcome.queue);
    }
  }

  /** What came to the queue may be too much for it. */
  #trim(queue: QueueRef): void {
    if (this.#parts.topology.isTrimmed(queue)) void this.#trimmer?.trim(queue.name);
  }

  /** With the queue's present limits: who comes next in its group goes by them. */
  #receiptOf(held: Claim): Receipt {
    const { queue, id, token } = held;
    const present = this.#parts.topology.presentRef(queue);
    return present === queue ? held : { queue: present, id, token };
  }

  #parkMove({ held, death, started, done }: MoveEntry, waitingFor: string): void {
    this.#park(held, death, waitingFor, started, done);
  }

  async #finish<E extends SettlementEntry>(
    batch: readonly E[],
    call: Promise<LostIndexes>,
    succeeded: (entry: E) => void,
  ): Promise<void> {
    let lost: LostIndexes;
    try {
      lost = await call;
    } catch (error) {
      for (const { held, done } of batch) done(held, error as Error);
      return;
    }
    const lostSet = lost.length === 0 ? null : new Set(lost);
    for (let i = 0; i < batch.length; i++) {
      const entry = batch[i] as E;
      if (lostSet?.has(i) === true) entry.done(entry.held, this.#news.lost(entry.held));
      else {
        succeeded(entry);
        entry.done(entry.held, null);
      }
    }
  }
}

function nothing(): void {}
