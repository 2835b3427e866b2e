import { ClosedError, LeaseLostError } from './errors.ts';
import type { Events } from './events.ts';
import type { Claim, Held, SettleEntry } from './held.ts';
import type { NewDeath } from './message.ts';
import type { Replier } from './replier.ts';

/** Counts and tells how leases ended, and tells those who wait for a reply. */
export class SettlementNews {
  readonly #events: Events;
  readonly #replier: Replier;

  constructor(events: Events, replier: Replier) {
    this.#events = events;
    this.#replier = replier;
  }

  /** leased -> gone. */
  settled(held: Claim, as: SettleEntry['as']): void {
    const events = this.#events;
    events.count(held.queue.name, as);
    const told = { queue: held.queue.name, id: held.id };
    if (as === 'dropped') {
      if (events.listens(as)) events.emit(as, { ...told, movedTo: null });
      this.refuse(held, { reason: 'rejected' });
    } else if (events.listens(as)) events.emit(as, told);
    if (as === 'expired') this.refuse(held, { reason: 'expired' });
  }

  tell(name: 'retried' | 'deadLettered' | 'expired', held: Held, more = {}): void {
    const queue = held.queue.name;
    this.#events.count(queue, name);
    if (this.#events.listens(name)) this.#events.emit(name, { queue, id: held.id, ...more });
  }

  /** leased here -> ready in each target. */
  moved(held: Held, to: readonly string[], death: NewDeath): void {
    const events = this.#events;
    for (const queue of to) {
      this.tell('deadLettered', held, { to: queue, reason: death.reason });
      events.count(queue, 'enqueued');
      if (events.listens('enqueued')) events.emit('enqueued', { queue, id: held.id });
    }
    this.refuse(held, death);
  }

  /** leased -> it waits at its queue, for room or for a person. */
  parked(held: Held, waitingFor: string | null, death: NewDeath): void {
    const queue = held.queue.name;
    this.#events.emit('parked', { queue, id: held.id, waitingFor, reason: death.reason });
    this.refuse(held, death);
  }

  /** Whoever waits for a reply need not wait any longer. Told once: what was parked died before. */
  refuse({ stored, queue }: Claim, death: Pick<NewDeath, 'reason' | 'error'>): void {
    if (stored === undefined || stored.parked !== null) return;
    this.#replier.refuse(stored, death).catch((error: unknown) => {
      if (error instanceof ClosedError) return;
      const { consumerId } = stored.lease;
      this.#events.emit('consumerError', { queue: queue.name, consumerId, error });
    });
  }

  /**
   * Told here, counted by the sweeper: each lease that ended by time is counted once.
   * @param expected the lease may be gone because of what its holder did
   */
  lost(held: Claim, expected: boolean = !!(held.inTransaction || held.inDoubt)): LeaseLostError {
    const consumerId = held.stored?.lease.consumerId ?? null;
    if (!expected && this.#events.listens('leaseLost')) {
      this.#events.emit('leaseLost', { queue: held.queue.name, id: held.id, consumerId });
    }
    return new LeaseLostError(held.id);
  }
}
