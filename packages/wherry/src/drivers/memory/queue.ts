import { NEVER, type QueueCounts, type QueueRef, type RateLimit } from '../../core/driver.ts';
import { messageIdMaker } from '../../core/message-id.ts';
import { Deduplication } from './deduplication.ts';
import { Groups } from './groups.ts';
import type { Journal } from './journal.ts';
import { Places } from './places.ts';
import { Rates } from './rates.ts';
import { byPriority } from './ready-order.ts';
import { isExpired, type HeldLease, type MessageRecord } from './record.ts';
import { isSameRate } from '../../core/token-bucket.ts';

/**
 * One queue's messages, and what it remembers of others. What a refused call may have changed (a
 * publish or move: adding and removing) is noted in the journal.
 *
 * Where `slots` is asked for, it is the `groupMaxInFlight` of the caller's QueueRef.
 */
export class MemoryQueue {
  readonly number: number;
  readonly name: string;
  readonly deduplication: Deduplication = new Deduplication();
  /** The greatest value of each fence. */
  readonly fences: Map<string, number> = new Map();
  readonly rates: Rates = new Rates();
  /** From the time of storing, in milliseconds since 1970, and the sequence. */
  readonly createId: (timestamp: number, sequence: number) => string;
  readonly #journal: Journal;
  readonly #places: Places;
  readonly #groups: Groups;
  /** By deduplicationId: what waits to be leased, and until then gives its place to the next. */
  readonly #replaceable = new Map<string, MessageRecord>();
  /** The limits of the last take. A sweep, which is told none, goes by them. */
  #slots = 1;
  #groupRateLimit: RateLimit | null = null;
  #lastSequence = 0;
  #suspectsLeased = 0;

  /** @param salt tells this store's ids from another's */
  constructor(number: number, name: string, salt: number, journal: Journal) {
    this.number = number;
    this.name = name;
    this.#journal = journal;
    this.#places = new Places(journal);
    this.#groups = new Groups(journal, this.#places);
    this.createId = messageIdMaker(number, salt);
  }

  get size(): number {
    return this.#places.size;
  }

  get bytes(): number {
    return this.#places.bytes;
  }

  get leasedBytes(): number {
    return this.#places.leasedBytes;
  }

  get leased(): number {
    return this.#places.leased.size;
  }

  get hasReady(): boolean {
    return this.#places.ready.size > 0 || this.#places.suspects.size > 0;
  }

  nextSequence(): number {
    this.#lastSequence += 1;
    this.#journal.note(() => (this.#lastSequence -= 1));
    return this.#lastSequence;
  }

  counts(): QueueCounts {
    return { ...this.#places.counts(), arrived: this.#lastSequence };
  }

  /** new -> ready or scheduled. A first delay keeps a message out of its group (G11). */
  add(record: MessageRecord, slots: number, now: number): void {
    this.#places.addBytes(record.bytes);
    if (record.isReplaceable) this.#setReplaceable(record.deduplicationId!, record);
    if (record.groupId === null || record.availableAt > now) this.#places.putByTime(record, now);
    else this.#groups.enter(record, slots, now);
  }

  /** any state -> gone; its group goes on. */
  remove(record: MessageRecord, slots: number, now: number): void {
    this.#places.addBytes(-record.bytes);
    this.#leavePlace(record);
    if (record.groupId !== null) this.#groups.leave(record, slots, now);
  }

  /** any state -> leased. */
  lease(record: MessageRecord, lease: HeldLease): void {
    this.#leavePlace(record);
    record.lease = lease;
    if (record.suspect) this.#suspectsLeased += 1;
    if (record.groupId !== null) this.#groups.countLeased(record);
    this.#places.put(record, 'leased', this.#places.leased);
  }

  /**
   * leased -> ready or scheduled.
   * @param change sets what the delivery left behind; called while the message is in no heap
   */
  release(
    record: MessageRecord,
    slots: number,
    now: number,
    change: (record: MessageRecord) => void,
  ): void {
    this.#endLease(record);
    change(record);
    const isParkedForGood = record.availableAt === NEVER;
    if (record.groupId !== null && !isParkedForGood) {
      this.#groups.goBack(record, slots, now);
      return;
    }
    this.#places.putByTime(record, now);
    if (record.groupId !== null) this.#groups.leave(record, slots, now);
  }

  /** Moves the end of a lease. */
  extend(record: MessageRecord, until: number): void {
    this.#places.pull(record);
    record.lease = { ...record.lease!, until };
    this.#places.put(record, 'leased', this.#places.leased);
  }

  /** scheduled -> ready, as far as due. @returns whether any was */
  promoteDue(now: number): boolean {
    const { scheduled } = this.#places;
    let promoted = false;
    for (let due = scheduled.peek(); due !== undefined; due = scheduled.peek()) {
      if (due.availableAt > now || due.availableAt === NEVER) break;
      this.#places.pull(due);
      const isMember = due.groupId === null || due.inGroup === 'outside';
      if (isMember) this.#places.putReady(due);
      else this.#groups.enter(due, this.#slots, now);
      promoted = true;
    }
    return promoted;
  }

  /** Goes by these limits from now on: what others held back is looked at again. */
  heed({ groupMaxInFlight, groupRateLimit }: QueueRef): void {
    const isSame =
      groupMaxInFlight === this.#slots && isSameRate(groupRateLimit, this.#groupRateLimit);
    if (isSame) return;
    this.#groups.unblock();
    this.#resume(Infinity);
    this.#slots = groupMaxInFlight;
    this.#groupRateLimit = groupRateLimit;
  }

  /**
   * The next message that its TTL, its group and other suspects let go, or undefined. A suspect is
   * to be handed out alone; while another one is held it does not stop the others.
   */
  nextEligible(now: number): MessageRecord | undefined {
    const { ready, suspects, overdue } = this.#places;
    this.#resume(now);
    for (;;) {
      const plain = ready.peek();
      const suspect = this.#suspectsLeased === 0 ? suspects.peek() : undefined;
      const isSuspectFirst =
        suspect !== undefined && (plain === undefined || byPriority(suspect, plain));
      const next = isSuspectFirst ? suspect : plain;
      if (next === undefined) return undefined;
      if (isExpired(next, now)) this.#places.setAside(next, overdue);
      else if (!this.#limit(next, now) && !this.#groups.block(next, this.#slots)) return next;
    }
  }

  /** The next of a held message's group, if one batch may hold it too; order is kept. */
  nextInGroup(groupId: string, now: number): MessageRecord | undefined {
    const next = this.#groups.firstWaiting(groupId);
    if (next === undefined || next.suspect || next.availableAt > now) return undefined;
    const isLimited = this.rates.wait(groupId, this.#groupRateLimit, now) > 0;
    return isLimited || isExpired(next, now) ? undefined : next;
  }

  /** @returns milliseconds until a group's rate limit lets one go that it holds back; null: none */
  nextWithinRate(now: number): number | null {
    const { limited, overdue } = this.#places;
    for (let next = limited.peek(); next !== undefined; next = limited.peek()) {
      if (!isExpired(next, now)) return next.resumesAt - now;
      this.#places.setAside(next, overdue);
    }
    return null;
  }

  /** @returns the message whose place one with `keepLast` and this id takes, or undefined */
  replaceable(deduplicationId: string): MessageRecord | undefined {
    return this.#replaceable.get(deduplicationId);
  }

  /** What `drop-oldest` drops next: the oldest ready one, else the scheduled one due first. */
  nextToEvict(): MessageRecord | undefined {
    return this.#places.oldest() ?? this.#places.scheduled.peek();
  }

  /** A message whose lease has ended, or undefined. */
  nextLeaseEnded(now: number): MessageRecord | undefined {
    const first = this.#places.leased.peek();
    return first !== undefined && first.lease!.until <= now ? first : undefined;
  }

  /** A message past its TTL that is not leased, or undefined. */
  nextExpired(now: number): MessageRecord | undefined {
    return this.#places.nextExpired(now);
  }

  /** @returns milliseconds since 1970 when a sweep has something to do; Infinity: never */
  nextDue(): number {
    return Math.min(this.#places.nextDue(), this.deduplication.nextForgotten());
  }

  /** Every stored message, in no order. */
  *stored(): Generator<MessageRecord> {
    yield* this.#places.values();
    yield* this.#groups.inside();
  }

  #leavePlace(record: MessageRecord): void {
    if (record.isReplaceable) this.#keep(record);
    if (record.lease === null) this.#places.pull(record);
    else this.#endLease(record);
  }

  #endLease(record: MessageRecord): void {
    const { lease } = record;
    this.#places.pull(record);
    record.lease = null;
    if (record.suspect) this.#suspectsLeased -= 1;
    this.#journal.note(() => {
      record.lease = lease;
      if (record.suspect) this.#suspectsLeased += 1;
    });
    if (record.groupId !== null) this.#groups.uncountLeased(record);
  }

  /** Puts a ready message aside if its group's rate limit holds it back. @returns whether it did */
  #limit(record: MessageRecord, now: number): boolean {
    if (record.groupId === null) return false;
    const wait = this.rates.wait(record.groupId, this.#groupRateLimit, now);
    if (wait === 0) return false;
    record.resumesAt = now + wait;
    this.#places.setAside(record, this.#places.limited);
    return true;
  }

  /** What a rate limit held back until now is looked at again. */
  #resume(now: number): void {
    const { limited } = this.#places;
    for (let next = limited.peek(); next !== undefined; next = limited.peek()) {
      if (next.resumesAt > now) return;
      this.#places.pull(next);
      this.#places.putReady(next);
    }
  }

  #setReplaceable(deduplicationId: string, record: MessageRecord): void {
    this.#replaceable.set(deduplicationId, record);
    this.#journal.note(() => this.#replaceable.delete(deduplicationId));
  }

  /** It is not replaced any more. */
  #keep(record: MessageRecord): void {
    record.isReplaceable = false;
    this.#replaceable.delete(record.deduplicationId!);
    this.#journal.note(() => {
      record.isReplaceable = true;
      this.#replaceable.set(record.deduplicationId!, record);
    });
  }
}
