/**
 * Collects what is outstanding together and hands it on in one call. An entry that comes alone
 * goes at the end of the current microtask; while calls are under way, entries gather for the
 * next one. So the batch grows with the load and a lone entry never waits.
 */
export class Batcher<Entry> {
  readonly #run: (entries: Entry[]) => Promise<void>;
  readonly #maxBatch: number;
  readonly #maxCalls: number;
  #entries: Entry[] = [];
  #calls = 0;
  #scheduled = false;
  #idle: (() => void)[] = [];

  /**
   * @param run handles a batch and answers each entry itself; it must not reject
   * @param maxBatch most entries in one call
   * @param maxCalls most calls under way at once
   */
  constructor(run: (entries: Entry[]) => Promise<void>, maxBatch: number, maxCalls: number) {
    this.#run = run;
    this.#maxBatch = maxBatch;
    this.#maxCalls = maxCalls;
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    if (this.#scheduled || this.#calls >= this.#maxCalls) return;
    this.#scheduled = true;
    queueMicrotask(this.#flush);
  }

  /** Resolves when everything added so far was handled. */
  async drain(): Promise<void> {
    if (this.#entries.length === 0 && this.#calls === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    while (this.#entries.length > 0 && this.#calls < this.#maxCalls) {
      const batch =
        this.#entries.length <= this.#maxBatch
          ? this.#entries
          : this.#entries.slice(0, this.#maxBatch);
      this.#entries = batch === this.#entries ? [] : this.#entries.slice(this.#maxBatch);
      this.#calls++;
      void this.#run(batch).finally(this.#finished);
    }
  };

  readonly #finished = (): void => {
    this.#calls--;
    this.#flush();
    if (this.#calls > 0 || this.#entries.length > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  };
}
