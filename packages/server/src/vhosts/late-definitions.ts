import type { MessageQueueSystem } from 'wherry';

/** Looks that find nothing may come as fast as somebody asks: they are made this far apart. */
const PAUSE_MS = 250;

/**
 * Queues and exchanges that other brokers on the same store have made a moment ago: whoever is told
 * by one broker that something is there finds it at every other, though the store has not told yet.
 */
export class LateDefinitions {
  readonly #mq: MessageQueueSystem;
  #look: Promise<void> | null = null;
  #lookedAt = -Infinity;

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

  async #refresh(): Promise<void> {
    const wait = this.#lookedAt + PAUSE_MS - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    this.#lookedAt = performance.now();
    await this.#mq.queueManager.refresh();
  }
}
