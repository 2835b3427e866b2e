import type { Clock, Timer } from './clock.ts';
import type { Driver } from './driver.ts';
import { QueueNotFoundError } from './errors.ts';
import type { Events } from './events.ts';
import type { QueueManager } from './queue-manager.ts';
import type { Queue } from './queue.ts';
import type { Topology } from './topology.ts';

/** In the topology: a process says that it used the queue of this name. */
const USE = 'queue-use';
/** In a shared store a use is told this often within the time that a queue may be idle. */
const MARKS = 4;
/** What is told takes its time: in a shared store no queue goes sooner. */
const SHARED_IDLE_MIN_MS = 1_000;

export interface IdleQueuesParts {
  readonly driver: Driver;
  readonly topology: Topology;
  readonly queues: QueueManager;
  readonly events: Events;
  readonly clock: Clock;
}

interface Use {
  readonly number: number;
  /** Sum of the queue's counters: it changes with every use but an empty receive. */
  counted: number;
  at: number;
  /** The use that the other processes were told of last. */
  markedAt: number;
}

/**
 * Deletes queues with `expiresAfterIdle` that nobody has used, sent to or consumed from so long.
 * Where several processes share the store, each tells the others of its uses.
 */
export class IdleQueues {
  readonly #parts: IdleQueuesParts;
  readonly #uses = new Map<string, Use>();
  readonly #askAlso = new Set<(queueNumber: number) => boolean>();
  #timer: Timer | null = null;
  /** When the timer goes off. */
  #checkAt = Infinity;
  #unwatch: (() => void) | null = null;

  constructor(parts: IdleQueuesParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#unwatch = this.#parts.topology.watch((change) => {
      if (change.type !== 'put') return;
      const { kind, name } = change.entry;
      if (kind === USE) this.#told(name);
      else if (kind === 'queue') this.#changed(name);
    });
    this.#check();
  }

  /** Somebody looked for messages, even if there were none. */
  used(name: string): void {
    const use = this.#uses.get(name);
    if (use !== undefined) use.at = this.#parts.clock.now();
  }

  /** Asks this, too, whether a queue is in use. @returns how to stop */
  askForUse(isUsed: (queueNumber: number) => boolean): () => void {
    this.#askAlso.add(isUsed);
    return () => this.#askAlso.delete(isUsed);
  }

  /** Somebody used it, here or elsewhere, and everybody knows: it is not told again. */
  #told(name: string): void {
    const use = this.#uses.get(name);
    if (use === undefined) return;
    use.at = this.#parts.clock.now();
    use.markedAt = use.at;
  }

  close(): void {
    this.#timer?.cancel();
    this.#unwatch?.();
  }

  /** A queue is new, or has other settings: looked at by itself, for there may be many. */
  #changed(name: string): void {
    const queue = this.#parts.topology.findQueue(name);
    if (queue === undefined || queue.settings.expiresAfterIdle === null) this.#uses.delete(name);
    else {
      this.#useOf(queue);
      this.#checkWithin(this.#longestIdle(queue.settings.expiresAfterIdle) / MARKS);
    }
  }

  #longestIdle(expiresAfterIdle: number): number {
    const { shared } = this.#parts.driver.supports;
    return shared ? Math.max(expiresAfterIdle, SHARED_IDLE_MIN_MS) : expiresAfterIdle;
  }

  #checkWithin(ms: number): void {
    const at = this.#parts.clock.now() + ms;
    if (at >= this.#checkAt) return;
    this.#timer?.cancel();
    this.#checkAt = at;
    this.#timer = this.#parts.clock.setTimer(() => this.#check(), ms);
  }

  #check(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#checkAt = Infinity;
    let nextIn = Infinity;
    for (const queue of this.#parts.topology.queues()) {
      const { expiresAfterIdle } = queue.settings;
      if (expiresAfterIdle === null) {
        this.#uses.delete(queue.name);
        continue;
      }
      const { shared } = this.#parts.driver.supports;
      const longest = this.#longestIdle(expiresAfterIdle);
      const use = this.#useOf(queue);
      const left = longest - (this.#parts.clock.now() - use.at);
      if (left <= 0) void this.#expire(queue);
      else nextIn = Math.min(nextIn, left, shared ? longest / MARKS : Infinity);
      if (shared && left > 0) this.#mark(queue.name, use);
    }
    if (nextIn !== Infinity) this.#checkWithin(nextIn);
  }

  /** The last use that is known of. */
  #useOf(queue: Queue): Use {
    const { clock, events } = this.#parts;
    const now = clock.now();
    const { counters } = events.activity(queue.name);
    const counted = Object.values(counters).reduce((sum, count) => sum + count, 0);
    const use = this.#uses.get(queue.name);
    if (use === undefined || use.number !== queue.number) {
      const first = { number: queue.number, counted, at: now, markedAt: now };
      this.#uses.set(queue.name, first);
      return first;
    }
    if (use.counted !== counted || this.#hasConsumers(queue)) {
      use.counted = counted;
      use.at = now;
    }
    return use;
  }

  #hasConsumers({ name, number }: Queue): boolean {
    if (this.#parts.queues.consumerCount(name) > 0) return true;
    return [...this.#askAlso].some((isUsed) => isUsed(number));
  }

  /** Tells the other processes of a use that they have not been told of. */
  #mark(name: string, use: Use): void {
    if (use.markedAt === use.at) return;
    const { topology, events } = this.#parts;
    use.markedAt = use.at;
    topology
      .put(USE, name, () => ({ at: use.at }))
      .catch((error: unknown) => {
        events.emit('consumerError', { queue: name, consumerId: '#idle', error });
      });
  }

  async #expire(queue: Queue): Promise<void> {
    this.#uses.delete(queue.name);
    try {
      await this.#parts.queues.deleteQueue(queue.name, { force: true });
      if (this.#parts.driver.supports.shared) await this.#parts.topology.remove(USE, queue.name);
    } catch (error) {
      if (error instanceof QueueNotFoundError) return;
      const { events } = this.#parts;
      events.emit('consumerError', { queue: queue.name, consumerId: '#idle', error });
    }
  }
}
