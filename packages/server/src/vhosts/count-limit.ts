/** Others on the store make some too: so often they are counted again. */
const LOOK_EVERY = 1_000;

/** How many there may be of something, which are not counted each time. */
export class CountLimit {
  readonly #max: number;
  readonly #count: () => number;
  readonly #refuse: () => Error;
  /** How many may be made before they are counted again. */
  #left = 0;

  /** @param refuse what is thrown when there are as many as there may be */
  constructor(max: number, count: () => number, refuse: () => Error) {
    this.#max = max;
    this.#count = count;
    this.#refuse = refuse;
  }

  /** To be called before one is made. @throws what `refuse` makes */
  take(): void {
    if (this.#left === 0) {
      const room = this.#max - this.#count();
      if (room <= 0) throw this.#refuse();
      this.#left = Math.min(LOOK_EVERY, Math.ceil(room / 2));
    }
    this.#left--;
  }
}
