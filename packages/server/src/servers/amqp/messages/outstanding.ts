/**
 * What a channel has asked of the store, and is not done: a client that publishes and then looks
 * finds what it has published, as it does with RabbitMQ.
 */
export class Outstanding {
  #count = 0;
  #whenNone: (() => void)[] = [];
  readonly #hurry: () => void;

  /** @param hurry is called when somebody waits for it */
  constructor(hurry: () => void = () => {}) {
    this.#hurry = hurry;
  }

  get isNone(): boolean {
    return this.#count === 0;
  }

  begin(): void {
    this.#count++;
  }

  end(): void {
    if (--this.#count > 0) return;
    const resolvers = this.#whenNone;
    this.#whenNone = [];
    for (const resolve of resolvers) resolve();
  }

  /** Resolves when all of it is done, well or not. */
  async settled(): Promise<void> {
    if (this.#count === 0) return;
    this.#hurry();
    await new Promise<void>((resolve) => {
      this.#whenNone.push(resolve);
    });
  }
}
