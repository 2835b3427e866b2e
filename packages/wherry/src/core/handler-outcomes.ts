import type { Delivery } from './delivery.ts';
import { LeaseLostError, RejectError, RetryError } from './errors.ts';
import type { Failure } from './failure-policy.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { Done } from './held.ts';
import type { Settler } from './settler.ts';

/** What becomes of a consumer's messages by how their handlers end. */
export class HandlerOutcomes {
  readonly #settler: Settler;
  readonly #keeper: LeaseKeeper;
  readonly #report: (error: unknown) => void;
  #handled = 0;
  #failed = 0;

  /** @param report told what went wrong with a settlement */
  constructor(settler: Settler, keeper: LeaseKeeper, report: (error: unknown) => void) {
    this.#settler = settler;
    this.#keeper = keeper;
    this.#report = report;
  }

  /** Messages acknowledged because their handler returned. */
  get handled(): number {
    return this.#handled;
  }

  /** Messages whose handler failed. */
  get failed(): number {
    return this.#failed;
  }

  /** What the handler returns is the reply, unless it has answered or settled the message itself. */
  async answer(delivery: Delivery, result: unknown): Promise<void> {
    const value = await result;
    const isOpen = !delivery.settled && delivery.failure === null;
    if (isOpen && !delivery.replied) await delivery.reply(value);
  }

  /**
   * The handler ended; what it has not settled itself is settled now. What it asked to fail when the
   * store was away is asked for again: that it returned all the same acknowledges nothing.
   */
  conclude(delivery: Delivery, thrown: Failure | null): void {
    const failure = thrown ?? delivery.failure;
    if (delivery.settled) this.#keeper.delete(delivery);
    else if (failure !== null) this.#fail(delivery, failure);
    else if (delivery.inTransaction) {
      this.#handled++;
      delivery.settled = true;
      this.#keeper.delete(delivery);
    } else {
      this.#handled++;
      delivery.settled = true;
      this.#settler.settle(delivery, this.#settled);
    }
  }

  /** The handler's time is up: it is told, and its message goes to others. */
  abandon(delivery: Delivery, failure: Extract<Failure, { kind: 'failed' }>): void {
    delivery.abort(failure.error);
    // What a transaction acknowledged is its: until it ends, nobody can say what became of it.
    if (!delivery.settled && !delivery.inTransaction) this.#fail(delivery, failure);
  }

  /** No handler had it: it goes back without counting. */
  giveBack(delivery: Delivery): void {
    delivery.settled = true;
    this.#settler.giveBack(delivery, 'unstarted', this.#settled);
  }

  #fail(delivery: Delivery, failure: Failure): void {
    this.#failed++;
    delivery.settled = true;
    this.#settler.settleFailure(delivery, failure, true, this.#settled);
  }

  /** One for all messages: a closure for each would be an allocation for each. */
  readonly #settled: Done = (held, error) => {
    this.#keeper.delete(held as Delivery);
    // That a lease was lost is told by its own event.
    if (error !== null && !(error instanceof LeaseLostError)) this.#report(error);
  };
}

/** What a handler meant by what it threw. */
export function failureOf(error: unknown): Failure {
  if (error instanceof RejectError) return { kind: 'rejected', error };
  if (error instanceof RetryError) return { kind: 'failed', error, delay: error.delay };
  return { kind: 'failed', error };
}
