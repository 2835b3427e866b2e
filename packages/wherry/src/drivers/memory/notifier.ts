import type { Notifier } from '../../core/driver.ts';

type Listener = Parameters<Notifier['subscribe']>[0];

/** Tells listeners once the call that caused it is over, so that they never see a half-made change. */
export class MemoryNotifier implements Notifier {
  readonly #listeners = new Set<Listener>();
  readonly #pending: Record<'ready' | 'room', Set<number>> = {
    ready: new Set<number>(),
    room: new Set<number>(),
  };
  #isFlushing = false;

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  notify(queueNumber: number, what: 'ready' | 'room'): void {
    if (this.#listeners.size === 0) return;
    this.#pending[what].add(queueNumber);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const { ready, room } = this.#pending;
    this.#pending.ready = new Set();
    this.#pending.room = new Set();
    this.#isFlushing = false;
    for (const listener of this.#listeners) {
      for (const queueNumber of ready) listener(queueNumber, 'ready');
      for (const queueNumber of room) listener(queueNumber, 'room');
    }
  }
}
