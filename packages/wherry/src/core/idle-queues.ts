import type { Clock, Timer } from './clock.ts';
import { QueueNotFoundError } from './errors.ts';
import type { Events } from './events.ts';
import type { QueueManager } from './queue-manager.ts';
import type { Queue } from './queue.ts';
import type { Topology } from './topology.ts';

export interface IdleQueuesParts {
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
}

/** Deletes queues with `expiresAfterIdle` that nobody has used, sent to or consumed from so long. */
export class IdleQueues {
  readonly #parts: IdleQueuesParts;
  readonly #uses = new Map<string, Use>();
  #timer: Timer | null = null;
  #unwatch: (() => void) | null = null;

  constructor(parts: IdleQueuesParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#unwatch = this.#parts.topology.watch((change) => {
      if (change.type === 'put' && change.entry.kind === 'queue') this.#check();
    });
    this.#check();
  }

  /** Somebody looked for messages, even if there were none. */
  used(name: string): void {
    const use = this.#uses.get(name);
    if (use !== undefined) use.at = this.#parts.clock.now();
  }

  close(): void {
    this.#timer?.cancel();
    this.#unwatch?.();
  }

  #check(): void {
    this.#timer?.cancel();
    this.#timer = null;
    let nextIn = Infinity;
    for (const queue of this.#parts.topology.queues()) {
      const { expiresAfterIdle } = queue.settings;
      if (expiresAfterIdle === null) {
        this.#uses.delete(queue.name);
        continue;
      }
      const left = expiresAfterIdle - this.#idleFor(queue);
      if (left <= 0) void this.#expire(queue);
      else nextIn = Math.min(nextIn, left);
    }
    if (nextIn === Infinity) return;
    this.#timer = this.#parts.clock.setTimer(() => this.#check(), nextIn);
  }

  /** Milliseconds since the last use that is known of. */
  #idleFor(queue: Queue): number {
    const { clock, events } = this.#parts;
    const now = clock.now();
    const { counters } = events.activity(queue.name);
    const counted = Object.values(counters).reduce((sum, count) => sum + count, 0);
    const use = this.#uses.get(queue.name);
    if (use === undefined || use.number !== queue.number) {
      this.#uses.set(queue.name, { number: queue.number, counted, at: now });
      return 0;
    }
    if (use.counted !== counted || this.#parts.queues.consumerCount(queue.name) > 0) {
      use.counted = counted;
      use.at = now;
    }
    return now - use.at;
  }

  async #expire(queue: Queue): Promise<void> {
    this.#uses.delete(queue.name);
    try {
      await this.#parts.queues.deleteQueue(queue.name, { force: true });
    } catch (error) {
      if (error instanceof QueueNotFoundError) return;
      const { events } = this.#parts;
      events.emit('consumerError', { queue: queue.name, consumerId: '#idle', error });
    }
  }
}
