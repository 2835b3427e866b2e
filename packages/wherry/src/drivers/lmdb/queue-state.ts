import type { QueueRef } from '../../core/driver.ts';
import { messageIdMaker } from '../../core/message-id.ts';
import { Counters } from './counters.ts';
import { GROUP, MAIN } from './item.ts';
import type { Lease } from './leases.ts';
import { Quickness } from './quickness.ts';
import { ReadyScan } from './ready-scan.ts';

/** What the driver keeps in memory of a queue: numbers, and what is in flight. */
export class QueueState {
  readonly number: number;
  readonly salt: number;
  name: string;
  readonly counters: Counters;
  readonly scan: ReadyScan;
  readonly makeId: (timestamp: number, sequence: number) => string;
  /** By sequence. */
  readonly leases: Map<number, Lease> = new Map();
  /** Those whose id does not tell their sequence, by id. */
  readonly leasesById: Map<string, Lease> = new Map();
  /** By group: all its leases. */
  readonly heldOfGroup: Map<string, number> = new Map();
  /** By group: leases on messages that are not the group's head. */
  readonly heldBesideHead: Map<string, number> = new Map();
  leasedMain = 0;
  leasedWaiting = 0;
  leasedSuspects = 0;
  leasedBytes = 0;
  /** Nothing in `scheduled` is due before this; it may be too early. */
  nextDue = 0;
  /** Messages that are on their way here in no one's hands. */
  awaited = 0;
  /** How quick its consumers are with what they have before it is stored. */
  readonly quickness: Quickness = new Quickness();
  /** The greatest sequence that was given out before the message was stored. */
  #reserved = 0;
  deleted = false;
  /** Its counters before the commit that is being put together; null: not touched by it. */
  before: Counters | null = null;

  constructor(number: number, name: string, salt: number, counters: Counters = new Counters()) {
    this.number = number;
    this.name = name;
    this.salt = salt;
    this.counters = counters;
    this.scan = new ReadyScan(counters);
    this.makeId = messageIdMaker(number, salt);
  }

  /** @returns the sequence of a message that may be stored later; no other gets it */
  reserve(): number {
    this.#reserved = Math.max(this.#reserved + 1, this.counters.nextSequence);
    return this.#reserved;
  }

  /** Messages that came to the queue, also those that were gone before they had to be stored. */
  get arrived(): number {
    return Math.max(this.#reserved, this.counters.nextSequence - 1);
  }

  /** Some were never stored, and the counters do not know of them yet. */
  get hasPassed(): boolean {
    return this.#reserved >= this.counters.nextSequence;
  }

  get ready(): number {
    const { mainTotal, waiting } = this.counters;
    return mainTotal + waiting - this.leasedMain - this.leasedWaiting;
  }

  get scheduled(): number {
    return this.counters.scheduled - (this.leases.size - this.leasedMain - this.leasedWaiting);
  }

  /** @returns whether a take in order might find something, or has something to note */
  mayTake(ref: QueueRef, now: number): boolean {
    if (this.scheduled > 0 && this.nextDue <= now) return true;
    if (ref.groupMaxInFlight !== this.counters.slots) return true;
    return this.counters.mainTotal > this.leasedMain && this.leases.size < ref.maxInFlight;
  }

  /** Keeps the lease in the maps and counts of leases. @param by 1 to add, -1 to take away */
  countLease(lease: Lease, by: 1 | -1): void {
    if (by === 1) this.leases.set(lease.sequence, lease);
    else this.leases.delete(lease.sequence);
    this.leasedBytes += by * lease.bytes;
    if (lease.hasIdEntry) {
      if (by === 1) this.leasesById.set(lease.id, lease);
      else this.leasesById.delete(lease.id);
    }
    if (lease.space === MAIN) this.leasedMain += by;
    else if (lease.space === GROUP) this.leasedWaiting += by;
    if (lease.suspect) this.leasedSuspects += by;
    if (lease.groupId === null) return;
    count(this.heldOfGroup, lease.groupId, by);
    if (!lease.isHead) count(this.heldBesideHead, lease.groupId, by);
    if (by === -1) this.scan.unblock(lease.groupId);
  }
}

function count(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const changed = (counts.get(key) ?? 0) + by;
  if (changed === 0) counts.delete(key);
  else counts.set(key, changed);
}
