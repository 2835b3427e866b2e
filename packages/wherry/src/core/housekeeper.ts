import type { PublishItem } from './driver.ts';
import type { QueueRef } from './queue-ref.ts';

/** What a system does for the other processes of its store, where it acts for all of them. */
export interface Housekeeper {
  /** It is this process's turn: from now on `supports.managed` is false. */
  begin(): void;
  /** Another process made something that will be due so many milliseconds from now. */
  expectWithin(ms: number): void;
  /** Another process stored a message that may have deadlines. */
  expectPublished(item: PublishItem): void;
  /** Another process moved a message there: the queue's TTL has begun. */
  expectMoved(target: QueueRef): void;
  /** Another process used the queue, if only by looking for messages. */
  used(queueNumber: number): void;
  /** Asks this, too, before a queue counts as idle. @returns how to stop */
  askForUse(isUsed: (queueNumber: number) => boolean): () => void;
}
