import { OverloadedError } from '../../protocols/http/errors.ts';

/** Counts what the broker holds for its clients, and refuses more than the limit. */
export class InFlight {
  readonly limit: number;
  readonly #what: string;
  #held = 0;

  /** @param what 'bytes in flight', for the error */
  constructor(limit: number, what: string) {
    this.limit = limit;
    this.#what = what;
  }

  get held(): number {
    return this.#held;
  }

  /** @throws OverloadedError when there is no room for anything more */
  check(): void {
    if (this.#held >= this.limit) throw new OverloadedError(this.#what, this.limit);
  }

  /** @throws OverloadedError, and then nothing is held */
  hold(amount: number): void {
    if (this.#held + amount > this.limit) throw new OverloadedError(this.#what, this.limit);
    this.#held += amount;
  }

  /** What is there already, whatever the limit: it keeps others from coming. */
  holdAnyway(amount: number): void {
    this.#held += amount;
  }

  release(amount: number): void {
    this.#held -= amount;
  }
}

/** What is held for one request, until it is over: whoever comes later holds nothing. */
export class Held {
  readonly #all: InFlight;
  #amount = 0;
  #isOver = false;

  constructor(all: InFlight) {
    this.#all = all;
  }

  /** @throws OverloadedError, and then nothing more is held */
  hold(amount: number): void {
    if (this.#isOver) return;
    this.#all.hold(amount);
    this.#amount += amount;
  }

  /** What is there already, whatever the limit. */
  holdAnyway(amount: number): void {
    if (this.#isOver) return;
    this.#all.holdAnyway(amount);
    this.#amount += amount;
  }

  /** The request is over. */
  release(): void {
    this.#isOver = true;
    this.#all.release(this.#amount);
    this.#amount = 0;
  }
}
