import type { Receipt } from '../../core/driver.ts';
import { sequenceIn } from '../../core/message-id.ts';
import { MinHeap } from './heap.ts';
import { expiryOf, hasIdEntry, idOf, isHead, type Item, type Space } from './item.ts';
import type { Mark } from './marks.ts';
import type { QueueState } from './queue-state.ts';
import type { StoredRecord } from './record.ts';

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

/** What a new lease is told; the rest is in the record. */
export type LeaseTerms = Pick<Lease, 'mark' | 'consumerId' | 'token' | 'until' | 'cause'>;

/** @returns a lease that `Leases.add` is still to be given */
export function createLease(
  queue: QueueState,
  record: StoredRecord,
  sequence: number,
  space: Space,
  due: number,
  terms: LeaseTerms,
): Lease {
  return {
    id: idOf(queue, record, sequence),
    sequence,
    priority: record.priority,
    space,
    due,
    groupId: record.groupId,
    isHead: isHead(record, space),
    bytes: record.bytes,
    expiry: expiryOf(record),
    hasIdEntry: hasIdEntry(queue, record, sequence),
    queue,
    suspect: record.suspect,
    deliveryCount: record.deliveryCount,
    mark: terms.mark,
    consumerId: terms.consumerId,
    token: terms.token,
    until: terms.until,
    cause: terms.cause,
    isActive: false,
  };
}

export type LeaseChange = Partial<Pick<Lease, 'consumerId' | 'token' | 'until' | 'cause'>>;

const ADDED = 0;
const ENDED = 1;
const CHANGED = 2;

/** Every lease of the store, with a journal so that a commit that failed can be taken back. */
export class Leases {
  readonly #byEnd = new MinHeap<Lease>();
  #active = 0;
  /** What was done since the last commit: how, to which lease, and how it was where it changed. */
  #kinds: number[] = [];
  #leases: Lease[] = [];
  #before: LeaseChange[] = [];

  /** How much there is to undo: for `rollBack`. */
  get savepoint(): number {
    return this.#kinds.length;
  }

  add(lease: Lease): void {
    this.#insert(lease);
    this.#note(ADDED, lease);
  }

  end(lease: Lease): void {
    this.#remove(lease);
    this.#note(ENDED, lease);
  }

  change(lease: Lease, change: LeaseChange): void {
    const { consumerId, token, until, cause } = lease;
    this.#before.push({ consumerId, token, until, cause });
    this.#note(CHANGED, lease);
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
    const lease = queue.leases.get(sequenceIn(id));
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
    this.#kinds = [];
    this.#leases = [];
    this.#before = [];
  }

  /** Takes back what was done since the savepoint. */
  rollBack(savepoint = 0): void {
    while (this.#kinds.length > savepoint) {
      const kind = this.#kinds.pop();
      const lease = this.#leases.pop()!;
      if (kind === ADDED) {
        this.#remove(lease);
        // `take` has passed it.
        lease.queue.scan.reset();
      } else if (kind === ENDED) {
        this.#insert(lease);
      } else {
        Object.assign(lease, this.#before.pop());
        this.#watch(lease);
      }
    }
  }

  #note(kind: number, lease: Lease): void {
    this.#kinds.push(kind);
    this.#leases.push(lease);
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
