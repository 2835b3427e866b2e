/** What is common to all ways of handing out messages: decoded to a program, or as they are stored. */
import type { LeasedMessage } from './driver.ts';
import { DeserializationError } from './errors.ts';
import type { Events } from './events.ts';
import type { Done, Held } from './held.ts';
import type { Settler } from './settler.ts';

/** As whom messages were taken, and for how many milliseconds. */
interface Taking {
  readonly consumerId: string;
  readonly leaseDuration: number;
}

/** Counts and tells what consumers get. */
export function tellDelivered(
  events: Events,
  queue: string,
  delivered: readonly { readonly id: string; readonly stored: LeasedMessage }[],
  { consumerId, leaseDuration }: Taking,
): void {
  events.count(queue, 'delivered', delivered.length);
  const waits = events.waits(queue);
  for (const { stored } of delivered) {
    if (stored.deliveryCount === 1) waits.observe(waitOf(stored, leaseDuration));
  }
  if (!events.listens('delivered')) return;
  for (const { id } of delivered) events.emit('delivered', { queue, id, consumerId });
}

/** From when it could be had to when it was leased, by the store's clock. Milliseconds. */
export function waitOf({ lease, availableAt }: LeasedMessage, leaseDuration: number): number {
  return lease.until - leaseDuration - availableAt;
}

/** @throws DeserializationError when the store found that it is not what was stored */
export function refuseDamaged({ id, damaged }: Pick<LeasedMessage, 'id' | 'damaged'>): void {
  if (damaged !== true) return;
  throw new DeserializationError(
    `Message '${id}' was damaged in the store: its checksum does not match.`,
  );
}

/** Ends the leases of messages that no consumer may have. Nobody waits for it. */
export class SetAside {
  readonly #settler: Settler;
  readonly #events: Events;

  constructor(settler: Settler, events: Events) {
    this.#settler = settler;
    this.#events = events;
  }

  /** It waits for room in a dead-letter queue: is there some now? */
  parked(held: Held): void {
    this.#settler.retryMove(held, held.stored.parked!, this.#told);
  }

  /** It cannot be delivered. */
  invalid(held: Held, error: unknown): void {
    this.#settler.settleFailure(held, { kind: 'invalid', error }, true, this.#told);
  }

  readonly #told: Done = (held, error) => {
    if (error === null) return;
    const { consumerId } = held.stored.lease;
    this.#events.emit('consumerError', { queue: held.queue.name, consumerId, error });
  };
}
