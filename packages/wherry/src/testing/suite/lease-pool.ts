import type { LeasedMessage, LostIndexes, QueueRef } from '../../core/driver.ts';

/** A queue in both drivers. */
export interface QueuePair {
  readonly model: QueueRef;
  readonly real: QueueRef;
}

/** A lease that both drivers gave for the same message. */
export interface LeasePair {
  readonly queue: QueuePair;
  readonly model: LeasedMessage;
  readonly real: LeasedMessage;
  /** Whose lease it is: it goes on after a restart, ends with the driver, or leaves no trace. */
  readonly holder: 'unbound' | 'bound' | 'sweeper of TTLs';
}

/** A pick from 0 on is of a lease that may be held, from here on of one that has ended. */
const PICK_ENDED = 16;
export const PICK_MAX: number = PICK_ENDED + 3;
const ENDED_KEPT = 5;

/** The leases of a history: those that may be held, and some whose tokens must stay fenced. */
export class LeasePool {
  readonly #held = new Set<LeasePair>();
  readonly #ended: LeasePair[] = [];

  add(lease: LeasePair): void {
    for (const before of this.#held) {
      if (before.model.id === lease.model.id) this.#end(before);
    }
    this.#held.add(lease);
  }

  /** @param picks numbers up to PICK_MAX; the same numbers pick the same leases */
  pick(picks: readonly number[]): LeasePair[] {
    const held = [...this.#held];
    return picks.flatMap((pick) => {
      const isOfEnded = pick >= PICK_ENDED && this.#ended.length > 0;
      const among = isOfEnded ? this.#ended : held;
      return among.length === 0 ? [] : [among[pick % among.length]!];
    });
  }

  /** What a call ended. A lease that it found lost ends here, too. */
  endAll(leases: readonly LeasePair[], kept: LostIndexes = []): void {
    for (const [index, lease] of leases.entries()) if (!kept.includes(index)) this.#end(lease);
  }

  heldBy(holder: LeasePair['holder']): LeasePair[] {
    return [...this.#held].filter((lease) => lease.holder === holder);
  }

  #end(lease: LeasePair): void {
    if (!this.#held.delete(lease)) return;
    this.#ended.push(lease);
    if (this.#ended.length > ENDED_KEPT) this.#ended.shift();
  }
}
