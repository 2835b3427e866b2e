import { type BrokerPort, ClosedError, type HeldMessage, LeaseLostError } from 'wherry';

type Ended = (error: Error | null) => void;
type How = (held: HeldMessage, done: Ended) => void;

/** A lease that the store has failed to end. */
interface Waiting {
  readonly held: HeldMessage;
  readonly how: How;
}

const RETRY_MS = 1_000;
/** What waits beyond that comes again when its lease has ended by time. */
const WAITING_MAX = 100_000;

/**
 * Ends leases. What the store fails to end is tried again until it is done: a broker that has its
 * store for itself takes messages for so long that nobody else would get them for hours.
 */
export class LeaseEnds {
  readonly #port: BrokerPort;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;
  readonly #settle: How = (held, done) => this.#port.settle(held, done);

  constructor(port: BrokerPort) {
    this.#port = port;
  }

  /** As the port does. @param done is told of the first try, so that nobody has to wait for more */
  settle(held: HeldMessage, done: Ended): void {
    this.#end(held, this.#settle, done);
  }

  /** @returns false: it is stored already, and has to be settled */
  settleAtOnce(held: HeldMessage): boolean {
    return this.#port.settleAtOnce(held);
  }

  giveBack(held: HeldMessage, as: 'requeue' | 'unstarted', done: Ended): void {
    this.#end(held, (it, ended) => this.#port.giveBack(it, as, ended), done);
  }

  fail(held: HeldMessage, reason: Parameters<BrokerPort['fail']>[1], done: Ended): void {
    this.#end(held, (it, ended) => this.#port.fail(it, reason, ended), done);
  }

  setAside(held: HeldMessage, error: unknown, done: Ended): void {
    this.#end(held, (it, ended) => this.#port.setAside(it, error, ended), done);
  }

  /** Nothing is tried again. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #end(held: HeldMessage, how: How, done: Ended): void {
    how(held, (error) => {
      if (error !== null) this.#failed(held, how, error);
      done(error);
    });
  }

  #failed(held: HeldMessage, how: How, error: Error): void {
    if (error instanceof LeaseLostError || error instanceof ClosedError || this.#isClosed) return;
    if (this.#waiting.length >= WAITING_MAX) return;
    // The first try may have ended it all the same: then the lease is rightly gone.
    this.#waiting.push({ held: { ...held, inDoubt: true }, how });
    this.#timer ??= setTimeout(this.#tryAgain, RETRY_MS).unref();
  }

  readonly #tryAgain = (): void => {
    this.#timer = null;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { held, how } of waiting) {
      how(held, (error) => {
        if (error !== null) this.#failed(held, how, error);
      });
    }
  };
}
