import type { Notifier } from './driver.ts';
import type { Topology } from './topology.ts';

type Listener = () => void;

/** Tells those who wait for a queue to have messages, or room, that it may have. */
export class Wakeups {
  readonly #ready = new Map<string, Set<Listener>>();
  readonly #room = new Map<string, Set<Listener>>();
  readonly #stop: (() => void)[];

  constructor(notifier: Notifier, topology: Topology) {
    this.#stop = [
      notifier.subscribe((number, what) => {
        const queue = topology.queueByNumber(number);
        if (queue !== undefined) wake(what === 'ready' ? this.#ready : this.#room, queue.name);
      }),
      // A queue that is resumed, or made again, may have what its consumers wait for.
      topology.watch((change) => {
        if (change.type === 'removed' || change.entry.kind !== 'queue') return;
        wake(this.#ready, change.entry.name);
        wake(this.#room, change.entry.name);
      }),
    ];
  }

  /** @returns how to stop */
  onReady(queueName: string, listener: Listener): () => void {
    return listen(this.#ready, queueName, listener);
  }

  /** @returns how to stop */
  onRoom(queueName: string, listener: Listener): () => void {
    return listen(this.#room, queueName, listener);
  }

  close(): void {
    for (const stop of this.#stop) stop();
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
