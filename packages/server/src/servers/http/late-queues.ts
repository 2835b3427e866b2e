import type { MessageQueueSystem } from 'wherry';
import { LateDefinitions } from '../../vhosts/late-definitions.ts';

/** Queues that other brokers have made a moment ago, of all virtual hosts. */
export class LateQueues {
  readonly #late = new WeakMap<MessageQueueSystem, LateDefinitions>();

  /** Resolves when the queue is known, or known not to be there. @throws StorageError */
  know(mq: MessageQueueSystem, name: string): Promise<void> {
    let late = this.#late.get(mq);
    if (late === undefined) {
      late = new LateDefinitions(mq);
      this.#late.set(mq, late);
    }
    return late.know(() => mq.queueManager.hasQueue(name));
  }
}
