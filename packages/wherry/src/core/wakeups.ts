import type { Notifier } from './driver.ts';
import type { Topology } from './topology.ts';

type Listener = () => void;

/** A queue that is followed: which incarnation of it, and how to stop. */
interface Followed {
  readonly number: number;
  readonly stop: () => void;
}

/** Tells those who wait for a queue to have messages, or room, that it may have. */
export class Wakeups {
  readonly #ready = new Map<string, Set<Listener>>();
  readonly #room = new Map<string, Set<Listener>>();
  readonly #followed = new Map<string, Followed>();
  readonly #notifier: Notifier;
  readonly #topology: Topology;
  readonly #stop: (() => void)[];

  constructor(notifier: Notifier, topology: Topology) {
    this.#notifier = notifier;
    this.#topology = topology;
    this.#stop = [
      notifier.subscribe((number, what) => {
        const queue = topology.queueByNumber(number);
        if (queue !== undefined) wake(what === 'ready' ? this.#ready : this.#room, queue.name);
      }),
      // A queue that is resumed, or made again, may have what its consumers wait for.
      topology.watch((change) => {
        const { kind, name } = change.type === 'put' ? change.entry : change;
        if (kind !== 'queue') return;
        this.#follow(name);
        if (change.type === 'removed') return;
        wake(this.#ready, name);
        wake(this.#room, name);
      }),
    ];
  }

  /** @returns how to stop */
  onReady(queueName: string, listener: Listener): () => void {
    return this.#listen(this.#ready, queueName, listener);
  }

  /** @returns how to stop */
  onRoom(queueName: string, listener: Listener): () => void {
    return this.#listen(this.#room, queueName, listener);
  }

  /**
   * For who listens again and again: a store that begins to follow a queue says that it may be ready,
   * since it does not know what came before, and would say so at each turn.
   * @returns how to stop
   */
  follow(queueName: string): () => void {
    return this.onReady(queueName, () => {});
  }

  close(): void {
    for (const stop of this.#stop) stop();
    for (const { stop } of this.#followed.values()) stop();
    this.#followed.clear();
  }

  #listen(listeners: Map<string, Set<Listener>>, name: string, listener: Listener): () => void {
    const stop = listen(listeners, name, listener);
    this.#follow(name);
    return () => {
      stop();
      this.#follow(name);
    };
  }

  /** Follows the queue's present incarnation while somebody listens, and else nothing. */
  #follow(name: string): void {
    if (this.#notifier.follow === undefined) return;
    const isHeard = this.#ready.has(name) || this.#room.has(name);
    const number = isHeard ? this.#topology.findQueue(name)?.number : undefined;
    const followed = this.#followed.get(name);
    if (followed?.number === number) return;
    followed?.stop();
    this.#followed.delete(name);
    if (number === undefined) return;
    this.#followed.set(name, { number, stop: this.#notifier.follow(number) });
  }
}

function wake(listeners: Map<string, Set<Listener>>, queueName: string): void {
  const waiting = listeners.get(queueName);
  if (waiting === undefined) return;
  for (const listener of Array.from(waiting)) listener();
}

function listen(
  listeners: Map<string, Set<Listener>>,
  queueName: string,
  listener: Listener,
): () => void {
  let waiting = listeners.get(queueName);
  if (waiting === undefined) listeners.set(queueName, (waiting = new Set()));
  waiting.add(listener);
  return () => {
    waiting.delete(listener);
    if (waiting.size === 0 && listeners.get(queueName) === waiting) listeners.delete(queueName);
  };
}
