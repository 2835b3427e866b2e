import type { Notifier } from '../../core/driver.ts';
import { tellAll } from '../../core/tell-all.ts';

type Listener = Parameters<Notifier['subscribe']>[0];

/** Tells this process's listeners what a commit changed, once per queue and commit. */
export class LmdbNotifier implements Notifier {
  readonly #listeners = new Set<Listener>();
  readonly #changed = { ready: new Set<number>(), room: new Set<number>() };

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  add(queueNumber: number, what: 'ready' | 'room'): void {
    this.#changed[what].add(queueNumber);
  }

  /** The queues of which the commit that is being put together will tell that they have messages. */
  get ready(): ReadonlySet<number> {
    return this.#changed.ready;
  }

  /** Nothing is left of what made a queue ready. */
  drop(queueNumber: number): void {
    this.#changed.ready.delete(queueNumber);
  }

  clear(): void {
    this.#changed.ready.clear();
    this.#changed.room.clear();
  }

  flush(): void {
    for (const what of ['room', 'ready'] as const) {
      const numbers = [...this.#changed[what]];
      this.#changed[what].clear();
      for (const number of numbers) tellAll(this.#listeners, number, what);
    }
  }
}
