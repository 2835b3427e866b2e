import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageQueueSystem } from 'wherry';

/** Looks that do not find anything may come as fast as somebody asks: they are made this far apart. */
const PAUSE_MS = 250;

/**
 * Queues that other brokers on the same store have made a moment ago: whoever is told by one broker that
 * a queue is there finds it at every other, though the store has not told of it yet.
 */
export class LateQueues {
  readonly #looks = new WeakMap<MessageQueueSystem, Promise<void>>();
  readonly #lookedAt = new WeakMap<MessageQueueSystem, number>();

  /** Resolves when the queue is known, or known not to be there. @throws StorageError */
  async know(mq: MessageQueueSystem, name: string): Promise<void> {
    if (!mq.storage.supports.shared || mq.queueManager.hasQueue(name)) return;
    // A look that has begun before may have missed it.
    await this.#looks.get(mq);
    if (mq.queueManager.hasQueue(name)) return;
    let look = this.#looks.get(mq);
    if (look === undefined) {
      look = this.#look(mq).finally(() => this.#looks.delete(mq));
      this.#looks.set(mq, look);
    }
    await look;
  }

  async #look(mq: MessageQueueSystem): Promise<void> {
    const wait = (this.#lookedAt.get(mq) ?? -Infinity) + PAUSE_MS - performance.now();
    if (wait > 0) await sleep(wait);
    this.#lookedAt.set(mq, performance.now());
    await mq.queueManager.refresh();
  }
}
