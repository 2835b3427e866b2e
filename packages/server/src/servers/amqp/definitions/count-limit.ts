import { preconditionFailed } from './refuse.ts';

/** Queues, and exchanges, and bindings, that a virtual host has before clients can make no more. */
const DEFINITIONS_MAX = 100_000;
/** Others on the store make some too: so often they are counted again. */
const LOOK_EVERY = 1_000;

/** How many there may be of something, which are not counted each time. */
export class CountLimit {
  readonly #what: string;
  readonly #count: () => number;
  readonly #max: number;
  /** How many may be made before they are counted again. */
  #left = 0;

  /** @param what in a sentence: `queues in vhost '/'` */
  constructor(what: string, count: () => number, max: number = DEFINITIONS_MAX) {
    this.#what = what;
    this.#count = count;
    this.#max = max;
  }

  /** To be called before one is made. @throws AmqpError 406 when there are as many as there may be */
  take(): void {
    if (this.#left === 0) {
      const room = this.#max - this.#count();
      if (room <= 0) {
        throw preconditionFailed(
          `there are ${this.#max} ${this.#what}, and may be no more; delete some that are not used`,
        );
      }
      this.#left = Math.min(LOOK_EVERY, Math.ceil(room / 2));
    }
    this.#left--;
  }
}
