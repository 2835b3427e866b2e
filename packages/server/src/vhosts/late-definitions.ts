import type { MessageQueueSystem } from 'wherry';

/** Looks that find nothing may come as fast as somebody asks: they are made this far apart. */
const PAUSE_MS = 250;
/** Where there is much to look through, they take no more than this share of the time. */
const LOOKING_SHARE = 0.25;
/** What is missing is remembered for the pause: so many, and others are looked for again. */
const MISSING_MAX = 10_000;

/**
 * Queues, exchanges and bindings that other brokers on the same store have made a moment ago: whoever
 * is told by one broker that something is there finds it at every other, though the store has not
 * told yet.
 */
export class LateDefinitions {
  readonly #mq: MessageQueueSystem;
  #look: Promise<void> | null = null;
  #lookedAt = -Infinity;
  #pause = PAUSE_MS;
  #missing = new Set<string>();

  constructor(mq: MessageQueueSystem) {
    this.#mq = mq;
  }

  /** Resolves when it is known, or known not to be there. @throws StorageError */
  async know(isKnown: () => boolean): Promise<void> {
    if (!this.#mq.storage.supports.shared || isKnown()) return;
    // A look that has begun before may have missed it.
    await this.#look;
    if (isKnown()) return;
    this.#look ??= this.#refresh().finally(() => (this.#look = null));
    await this.#look;
  }

  /** The last look has not found `what`. */
  missed(what: string): void {
    if (this.#missing.size < MISSING_MAX) this.#missing.add(what);
  }

  /** Whether the last look was made a moment ago, and has not found `what`. */
  isMissing(what: string): boolean {
    return performance.now() < this.#lookedAt + this.#pause && this.#missing.has(what);
  }

  async #refresh(): Promise<void> {
    const wait = this.#lookedAt + this.#pause - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    this.#missing = new Set();
    const begun = performance.now();
    this.#lookedAt = begun;
    await this.#mq.queueManager.refresh();
    this.#pause = Math.max(PAUSE_MS, (performance.now() - begun) / LOOKING_SHARE);
  }
}
