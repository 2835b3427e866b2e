/**
 * Which queues have series of their own: the first so many that came, for as long as they are there.
 * One that comes later takes no series away from another.
 */
export class SeriesLimit {
  readonly #max: number;
  #admitted = new Set<string>();
  #seen = new Set<string>();
  #beyond = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Queues that were refused in the last round. */
  get beyond(): number {
    return this.#beyond;
  }

  begin(): void {
    this.#seen = new Set();
    this.#beyond = 0;
  }

  /** @returns whether the queue has series of its own */
  admit(vhost: string, queue: string): boolean {
    const key = JSON.stringify([vhost, queue]);
    if (!this.#admitted.has(key)) {
      if (this.#admitted.size >= this.#max) {
        this.#beyond++;
        return false;
      }
      this.#admitted.add(key);
    }
    this.#seen.add(key);
    return true;
  }

  /** Those that were not asked for since `begin` are gone and make room. */
  end(): void {
    this.#admitted = this.#seen;
  }
}
