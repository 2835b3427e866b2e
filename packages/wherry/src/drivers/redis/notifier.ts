import type { Notifier } from '../../core/driver.ts';
import type { Listener } from './listener.ts';

type Listen = Parameters<Notifier['subscribe']>[0];
type What = 'ready' | 'room';

const BOTH: readonly What[] = ['ready', 'room'];

export interface NotifierParts {
  readonly listener: Listener;
  /** The places of a queue, each of which tells its own news. */
  readonly placesOf: (queueNumber: number) => readonly number[];
  /** The channel on which a place's news are told. */
  readonly channelOf: (place: number) => string;
  /** Says in the store that somebody waits for news of a place: told once, then forgotten. */
  readonly ask: (place: number) => Promise<unknown>;
}

/**
 * Wake-ups. This process's own calls are told without the server; those of others only of queues
 * that somebody here follows, and only when a taker or sender of ours went away with too little.
 */
export class RedisNotifier implements Notifier {
  readonly #parts: NotifierParts;
  readonly #listeners = new Set<Listen>();
  readonly #followers = new Map<number, number>();
  readonly #pending: Record<What, Set<number>> = { ready: new Set(), room: new Set() };
  #isFlushing = false;

  constructor(parts: NotifierParts) {
    this.#parts = parts;
  }

  subscribe(listener: Listen): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  follow(queueNumber: number): () => void {
    const followers = this.#followers.get(queueNumber) ?? 0;
    this.#followers.set(queueNumber, followers + 1);
    if (followers === 0) void this.#begin(queueNumber);
    let isStopped = false;
    return () => {
      if (isStopped) return;
      isStopped = true;
      this.#unfollow(queueNumber);
    };
  }

  /** Something changed here, in this process. Listeners are told when the call that did it is over. */
  tell(queueNumber: number, what: What): void {
    if (this.#listeners.size === 0) return;
    this.#pending[what].add(queueNumber);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => this.#flush());
  }

  /** News may have been missed: whoever waits looks again, and asks to be told anew. */
  async lookAgain(): Promise<void> {
    await Promise.all([...this.#followers.keys()].map((number) => this.#ask(number)));
  }

  /** It became known over which places a queue is spread. */
  placesKnown(queueNumber: number): void {
    if (this.#followers.has(queueNumber)) void this.#begin(queueNumber);
  }

  async #begin(queueNumber: number): Promise<void> {
    const { listener, placesOf, channelOf } = this.#parts;
    const listening = placesOf(queueNumber).map((place) =>
      listener.add(channelOf(place), (payload) => {
        if (payload === 'ready' || payload === 'room') this.tell(queueNumber, payload);
      }),
    );
    await Promise.all(listening);
    await this.#ask(queueNumber);
  }

  async #ask(queueNumber: number): Promise<void> {
    // When the server is away, the listener's next connection asks again.
    await Promise.allSettled(this.#parts.placesOf(queueNumber).map(this.#parts.ask));
    // What came before somebody listened.
    for (const what of BOTH) this.tell(queueNumber, what);
  }

  #unfollow(queueNumber: number): void {
    const followers = (this.#followers.get(queueNumber) ?? 0) - 1;
    if (followers > 0) {
      this.#followers.set(queueNumber, followers);
      return;
    }
    this.#followers.delete(queueNumber);
    const { listener, placesOf, channelOf } = this.#parts;
    for (const place of placesOf(queueNumber)) listener.remove(channelOf(place));
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
