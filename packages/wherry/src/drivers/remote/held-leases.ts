import type { Driver, Receipt } from '../../core/driver.ts';
import { monotonic } from './timers.ts';
import type { AnswerOf, CallName, RequestOf } from './wire/calls.ts';

/** Most leases that end in one call. */
const BATCH = 1_000;
const PRUNE_MIN = 1_000;

interface Held {
  readonly receipt: Receipt;
  /** By the monotonic clock; not sooner than by the store's. */
  readonly until: number;
}

/** What lives and dies with a client (`bound`), so that it can be freed when it is dead. */
export class HeldLeases {
  readonly #held = new Map<string, Held>();
  #pruneAt = PRUNE_MIN;

  get size(): number {
    return this.#held.size;
  }

  /** Takes note of a call that was answered. */
  note(name: CallName, request: unknown, answer: unknown): void {
    if (name === 'take') {
      const { queue, leaseDuration, bound } = request as RequestOf<'take'>;
      if (!bound) return;
      for (const { id, lease } of (answer as AnswerOf<'take'>).messages) {
        this.#hold({ queue, id, token: lease.token }, leaseDuration);
      }
    } else if (name === 'extend') {
      const lost = new Set(answer as AnswerOf<'extend'>);
      for (const [i, { receipt, leaseDuration }] of (request as RequestOf<'extend'>).entries()) {
        if (lost.has(i)) this.#held.delete(keyOf(receipt));
        else if (this.#held.has(keyOf(receipt))) this.#hold(receipt, leaseDuration);
      }
    } else if (name === 'settle') {
      for (const receipt of request as RequestOf<'settle'>) this.#held.delete(keyOf(receipt));
    } else if (name === 'release') {
      for (const { receipt } of request as RequestOf<'release'>) this.#held.delete(keyOf(receipt));
    } else if (name === 'move') {
      const outcomes = answer as AnswerOf<'move'>;
      for (const [i, { receipt }] of (request as RequestOf<'move'>).entries()) {
        const isOver = outcomes[i]?.status === 'moved' || outcomes[i]?.status === 'lost';
        if (isOver) this.#held.delete(keyOf(receipt));
      }
    }
  }

  /** Ends all that is held: the sweeper decides then, as when their time had come. */
  async end(driver: Driver): Promise<void> {
    this.#prune();
    const receipts = [...this.#held.values()].map(({ receipt }) => receipt);
    this.#held.clear();
    for (let at = 0; at < receipts.length; at += BATCH) {
      const batch = receipts.slice(at, at + BATCH);
      await driver.extend(batch.map((receipt) => ({ receipt, leaseDuration: 1 })));
    }
  }

  #hold(receipt: Receipt, leaseDuration: number): void {
    this.#held.set(keyOf(receipt), { receipt, until: monotonic() + leaseDuration });
    if (this.#held.size > this.#pruneAt) this.#prune();
  }

  /** Forgets leases that ran out. */
  #prune(): void {
    const now = monotonic();
    for (const [key, { until }] of this.#held) if (until < now) this.#held.delete(key);
    this.#pruneAt = Math.max(PRUNE_MIN, this.#held.size * 2);
  }
}

function keyOf({ queue, id }: Receipt): string {
  return `${queue.number} ${id}`;
}
