import type { Driver, LeasedMessage, QueueRef } from './driver.ts';
import type { Events } from './events.ts';
import type { Settler } from './settler.ts';
import type { Topology } from './topology.ts';

export interface TrimmerParts {
  readonly driver: Driver;
  readonly topology: Topology;
  readonly events: Events;
  readonly settler: Settler;
}

/** Of a queue that is being trimmed. */
interface Line {
  readonly current: Promise<void>;
  /** For all who asked since that began. */
  next: Promise<void> | null;
}

const TRIMMER = '#overflow';
const LEASE_MS = 30_000;
const BATCH_MAX = 512;

/**
 * Puts out what is too much at the head of a queue with `drop-oldest` and a dead-letter exchange.
 * Where each message goes is for the router to say, so no store can do it in the step that stores
 * the new one: it is let in, and the head is trimmed before its sender is answered.
 */
export class Trimmer {
  readonly #parts: TrimmerParts;
  readonly #lines = new Map<string, Line>();

  constructor(parts: TrimmerParts) {
    this.#parts = parts;
  }

  /** Resolves when the queue has been trimmed of what it held at the call. Never rejects. */
  trim(queue: string): Promise<void> {
    const line = this.#lines.get(queue);
    if (line === undefined) return this.#start(queue);
    line.next ??= line.current.then(() => this.#start(queue));
    return line.next;
  }

  /** Resolves when nothing is being trimmed. */
  async idle(): Promise<void> {
    while (this.#lines.size > 0) {
      await Promise.all(Array.from(this.#lines.values(), ({ current, next }) => next ?? current));
    }
  }

  #start(queue: string): Promise<void> {
    const current = this.#trimTold(queue).finally(() => {
      if (this.#lines.get(queue)?.next === null) this.#lines.delete(queue);
    });
    this.#lines.set(queue, { current, next: null });
    return current;
  }

  async #trimTold(queue: string): Promise<void> {
    try {
      await this.#trim(queue);
    } catch (error) {
      // What was sent is stored all the same; the next that comes has it trimmed again.
      this.#parts.events.emit('consumerError', { queue, consumerId: TRIMMER, error });
    }
  }

  async #trim(name: string): Promise<void> {
    const { driver, topology } = this.#parts;
    for (;;) {
      const queue = topology.findQueue(name);
      if (queue === undefined) return;
      const { maxSize, maxBytes, boundOn } = queue.settings;
      const ref = topology.ref(name);
      const { ready, scheduled, leased, bytes } = await driver.counts(ref);
      const waiting = ready + scheduled;
      const counted = boundOn === 'waiting' ? waiting : waiting + leased;
      // Of the bytes only the sum is known: those that are leased have their share of it.
      const share = counted === 0 ? 0 : counted / (waiting + leased);
      const tooMany = Math.min(counted - (maxSize ?? Infinity), BATCH_MAX);
      const isTooLarge = bytes * share > (maxBytes ?? Infinity);
      const max = Math.max(tooMany, isTooLarge ? 1 : 0);
      if (max <= 0 || (await this.#putOut(ref, max)) === 0) return;
    }
  }

  /** @returns how many: what is not ready stays */
  async #putOut(queue: QueueRef, max: number): Promise<number> {
    const { driver } = this.#parts;
    const request = { queue, consumerId: TRIMMER, max, leaseDuration: LEASE_MS };
    const { messages } = await driver.take({ ...request, bound: true, perGroup: 1 });
    await Promise.all(messages.map((stored) => this.#bury(queue, stored)));
    return messages.length;
  }

  #bury(queue: QueueRef, stored: LeasedMessage): Promise<void> {
    const held = { queue, id: stored.id, token: stored.lease.token, stored };
    return new Promise((resolve, reject) => {
      this.#parts.settler.settleFailure(held, { kind: 'overflow' }, false, (_held, error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }
}
