import type { QueueRef } from '../../core/driver.ts';
import type { LmdbStore } from './store.ts';

/**
 * Messages of one call that come to their queues in a commit to be. Each queue counts them, so that
 * nothing that is sent later is handed out before them.
 */
export class OnTheWay {
  readonly #store: LmdbStore;
  readonly #targets: QueueRef[] = [];
  #isCounted = true;

  constructor(store: LmdbStore) {
    this.#store = store;
  }

  add(target: QueueRef): void {
    this.#targets.push(target);
    this.#count(target, 1);
  }

  /** In the commit: there they are, unless it fails. */
  arrive(): void {
    this.end();
    if (this.#targets.length > 0) this.#store.onRollBack(() => this.#setCounted(true));
  }

  /** The call is answered. */
  end(): void {
    this.#setCounted(false);
  }

  #setCounted(isCounted: boolean): void {
    if (isCounted === this.#isCounted) return;
    this.#isCounted = isCounted;
    for (const target of this.#targets) this.#count(target, isCounted ? 1 : -1);
  }

  #count(target: QueueRef, by: 1 | -1): void {
    const queue = this.#store.find(target);
    if (queue !== undefined) queue.awaited += by;
  }
}
