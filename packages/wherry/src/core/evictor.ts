import type { Driver } from './driver.ts';
import type { Settler } from './settler.ts';
import type { Topology } from './topology.ts';

/** What a queue that is full lacks. */
export interface Want {
  readonly limit: 'maxSize' | 'maxBytes';
  /** Messages that wait for room. */
  readonly messages: number;
  /** Bytes of them. */
  readonly bytes: number;
}

export interface EvictorParts {
  readonly driver: Driver;
  readonly topology: Topology;
  readonly settler: Settler;
}

const EVICTOR = '#overflow';
const LEASE_MS = 30_000;
const BATCH_MAX = 512;

/**
 * Puts out what stands at the head of a queue with `drop-oldest` and a dead-letter exchange: where
 * each message goes is for the router to say, so no store can do it by itself.
 */
export class Evictor {
  readonly #parts: EvictorParts;

  constructor(parts: EvictorParts) {
    this.#parts = parts;
  }

  /**
   * @returns whether anything was put out: what is not ready cannot be
   * @throws StorageError, QueueNotFoundError
   */
  async makeRoom(queue: string, want: Want): Promise<boolean> {
    const byCount = want.limit === 'maxSize';
    let [messages, bytes] = [0, 0];
    while (byCount ? messages < want.messages : bytes < want.bytes) {
      const max = byCount ? Math.min(BATCH_MAX, want.messages - messages) : 1;
      const evicted = await this.#evict(queue, max);
      if (evicted.messages === 0) break;
      messages += evicted.messages;
      bytes += evicted.bytes;
    }
    return messages > 0;
  }

  async #evict(queue: string, max: number): Promise<{ messages: number; bytes: number }> {
    const { driver, topology, settler } = this.#parts;
    const ref = topology.ref(queue);
    const request = { queue: ref, consumerId: EVICTOR, max, leaseDuration: LEASE_MS };
    const taken = await driver.take({ ...request, bound: true, perGroup: 1 });
    const moves = taken.messages.map((stored) => {
      const held = { queue: ref, id: stored.id, token: stored.lease.token, stored };
      return new Promise<number>((resolve, reject) => {
        settler.settleFailure(held, { kind: 'overflow' }, false, (_held, error) =>
          error === null ? resolve(stored.bytes) : reject(error),
        );
      });
    });
    const sizes = await Promise.all(moves);
    return { messages: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  }
}
