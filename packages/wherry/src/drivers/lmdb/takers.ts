import type { ArrivalTaker, LeasedMessage, QueueRef } from '../../core/driver.ts';
import type { QueueState } from './queue-state.ts';
import type { LmdbStore } from './store.ts';
import { takeUnwritten } from './take.ts';

const NONE: readonly ArrivalTaker[] = [];

/** Those who are given messages in the commit that makes them ready. */
export class Takers {
  readonly #ofQueue = new Map<number, Set<ArrivalTaker>>();

  /** @returns how to stop */
  add(ref: QueueRef, taker: ArrivalTaker): () => void {
    const takers = this.#ofQueue.get(ref.number) ?? new Set();
    this.#ofQueue.set(ref.number, takers.add(taker));
    return () => {
      takers.delete(taker);
      if (takers.size === 0 && this.#ofQueue.get(ref.number) === takers) {
        this.#ofQueue.delete(ref.number);
      }
    };
  }

  of(queueNumber: number): Iterable<ArrivalTaker> {
    return this.#ofQueue.get(queueNumber) ?? NONE;
  }

  /** To be called when nothing more is written in a transaction. Where nothing is left, nobody is woken. */
  handOut(store: LmdbStore): void {
    if (this.#ofQueue.size === 0) return;
    for (const number of store.notifier.ready) {
      const takers = this.#ofQueue.get(number);
      const queue = store.queues.get(number);
      if (takers === undefined || queue === undefined || queue.deleted) continue;
      for (const taker of takers) if (queue.ready > 0) give(store, queue, taker);
    }
  }
}

function give(store: LmdbStore, queue: QueueState, taker: ArrivalTaker): void {
  const request = taker.request();
  if (request === null) return;
  let messages: readonly LeasedMessage[] = [];
  try {
    const taken = takeUnwritten(store, request);
    if (taken !== null && taken.messages.length > 0) {
      ({ messages } = taken);
      store.onCommit(() => store.handedOut(taken.mark));
    }
    if (!queue.mayTake(request.queue, store.now())) store.notifier.drop(queue.number);
  } finally {
    // Not before the transaction is on its way to the disk.
    queueMicrotask(() => taker.taken({ messages, retryIn: null }));
  }
}
