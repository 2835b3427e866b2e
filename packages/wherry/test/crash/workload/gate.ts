/** Lets work go on, or holds it up at a point where it has nothing outstanding. */
export class Gate {
  #inside = 0;
  #opened: Promise<void> | null = null;
  #open: () => void = () => undefined;
  #emptied: (() => void) | null = null;

  /** Runs a piece of work, once the gate is open. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    while (this.#opened !== null) await this.#opened;
    this.#inside += 1;
    try {
      return await work();
    } finally {
      this.#inside -= 1;
      if (this.#inside === 0) this.#emptied?.();
    }
  }

  /** Resolves when no work is under way; none begins before `open`. */
  async close(): Promise<void> {
    this.#opened = new Promise((resolve) => (this.#open = resolve));
    if (this.#inside === 0) return;
    await new Promise<void>((resolve) => (this.#emptied = resolve));
    this.#emptied = null;
  }

  open(): void {
    this.#opened = null;
    this.#open();
  }
}
