import type { Receipt } from '../../core/driver.ts';
import { MinHeap } from './heap.ts';
import type { Item } from './item.ts';
import type { Mark } from './marks.ts';
import type { QueueState } from './queue-state.ts';

/** A leased message: all that settling it needs to know, so that it reads nothing. */
export interface Lease extends Item {
  readonly queue: QueueState;
  readonly suspect: boolean;
  /** As stored: without the present delivery. */
  readonly deliveryCount: number;
  /** The batch it was handed out with, as far as that is stored. */
  readonly mark: Mark | null;
  consumerId: string;
  token: number;
  until: number;
  /** Why the sweeper holds it; null: a consumer does. */
  cause: 'lease-expired' | 'expired' | null;
  isActive: boolean;
}

export type LeaseChange = Partial<Pick<Lease, 'consumerId' | 'token' | 'until' | 'cause'>>;

type Undo =
  | { readonly kind: 'added'; readonly lease: Lease }
  | { readonly kind: 'ended'; readonly lease: Lease }
  | { readonly kind: 'changed'; readonly lease: Lease; readonly before: Required<LeaseChange> };

/** Every lease of the store, with a journal so that a commit that failed can be taken back. */
export class Leases {
  readonly #byEnd = new MinHeap<Lease>();
  #active = 0;
  #journal: Undo[] = [];

  /** How much there is to undo: for `rollBack`. */
  get savepoint(): number {
    return this.#journal.length;
  }

  add(lease: Lease): void {
    this.#insert(lease);
    this.#journal.push({ kind: 'added', lease });
  }

  end(lease: Lease): void {
    this.#remove(lease);
    this.#journal.push({ kind: 'ended', lease });
  }

  change(lease: Lease, change: LeaseChange): void {
    const { consumerId, token, until, cause } = lease;
    this.#journal.push({ kind: 'changed', lease, before: { consumerId, token, until, cause } });
    Object.assign(lease, change);
    this.#watch(lease);
  }

  /** @returns the present lease that the receipt proves, or undefined (G4) */
  held(queue: QueueState, receipt: Receipt, now: number): Lease | undefined {
    const lease = this.find(queue, receipt.id);
    return lease !== undefined && lease.token === receipt.token && lease.until > now
      ? lease
      : undefined;
  }

  /** @returns the lease on the message with this id, or undefined */
  find(queue: QueueState, id: string): Lease | undefined {
    const lease = queue.leases.get(Number.parseInt(id.slice(20), 16));
    return lease !== undefined && lease.id === id ? lease : queue.leasesById.get(id);
  }

  /** @returns when the first lease ends, in milliseconds since 1970; Infinity: none does */
  nextEnd(): number {
    for (let lease = this.#byEnd.peek(); lease !== undefined; lease = this.#byEnd.peek()) {
      if (lease.isActive && lease.until === this.#byEnd.minKey) return lease.until;
      this.#byEnd.pop();
    }
    return Number.POSITIVE_INFINITY;
  }

  /** @returns a lease that has ended by its time, or undefined */
  nextEnded(now: number): Lease | undefined {
    return this.nextEnd() <= now ? this.#byEnd.peek() : undefined;
  }

  /** The changes so far are stored, or of no interest. */
  commit(): void {
    this.#journal = [];
  }

  /** Takes back what was done since the savepoint. */
  rollBack(savepoint = 0): void {
    while (this.#journal.length > savepoint) {
      const undo = this.#journal.pop()!;
      if (undo.kind === 'added') this.#remove(undo.lease);
      else if (undo.kind === 'ended') this.#insert(undo.lease);
      else {
        Object.assign(undo.lease, undo.before);
        this.#watch(undo.lease);
      }
    }
  }

  #insert(lease: Lease): void {
    lease.isActive = true;
    this.#active += 1;
    lease.queue.countLease(lease, 1);
    if (lease.mark !== null) lease.mark.active += 1;
    this.#watch(lease);
  }

  #remove(lease: Lease): void {
    lease.isActive = false;
    this.#active -= 1;
    lease.queue.countLease(lease, -1);
    if (lease.mark !== null) lease.mark.active -= 1;
  }

  /** The heap has stale entries, of leases that ended or moved: they go when they are too many. */
  #watch(lease: Lease): void {
    if (lease.until === Number.POSITIVE_INFINITY) return;
    this.#byEnd.push(lease.until, lease);
    if (this.#byEnd.size > 2 * this.#active + 1024) {
      this.#byEnd.retain((until, one) => one.isActive && one.until === until);
    }
  }
}
