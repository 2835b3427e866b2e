import { NEVER, type QueueCounts } from '../../core/driver.ts';
import type { MessageState } from '../../core/message.ts';
import { messageIdMaker } from '../../core/message-id.ts';
import { Deduplication } from './deduplication.ts';
import { Heap } from './heap.ts';
import type { Journal } from './journal.ts';
import { byDueTime, byPriority, bySequence, placeHeap } from './ready-order.ts';
import { expiryOf, isExpired, type HeldLease, type MessageRecord } from './record.ts';

/** The members of one group that are stored and past their first delay. */
interface Group {
  /** How many are its head or held: while there are any, the others wait. */
  outside: number;
  readonly waiting: Heap<MessageRecord>;
}

/**
 * One queue's messages, each in exactly one heap by its state. `#place` and `#unplace` are the only
 * two that touch a heap together with its indexes and counters. What a refused call may have
 * changed (a publish or move: adding and removing) is noted in the journal.
 */
export class MemoryQueue {
  readonly number: number;
  readonly name: string;
  readonly deduplication: Deduplication = new Deduplication();
  /** From the time of storing, in milliseconds since 1970, and the sequence. */
  readonly createId: (timestamp: number, sequence: number) => string;
  readonly #journal: Journal;
  #bytes = 0;
  #lastSequence = 0;
  #suspectsLeased = 0;
  readonly #counts: Record<MessageState, number> = { ready: 0, scheduled: 0, leased: 0 };
  readonly #ready = placeHeap(byPriority);
  /** Ready, but their last holder died: handed out one at a time (G6). */
  readonly #suspects = placeHeap(byPriority);
  /** Ready, but past their TTL: out of `take`'s way until they are swept. */
  readonly #overdue = placeHeap(bySequence);
  readonly #scheduled = placeHeap(byDueTime);
  readonly #leased = placeHeap((a, b) => a.lease!.until < b.lease!.until);
  readonly #groups = new Map<string, Group>();
  /** All ready ones, the oldest first, whatever heap they are in. */
  readonly #byAge = new Heap<MessageRecord>(bySequence, (record, index) => {
    record.ageIndex = index;
  });
  /** All with a TTL that are not leased. */
  readonly #byExpiry = new Heap<MessageRecord>(
    (a, b) => a.expiresAt! < b.expiresAt!,
    (record, index) => {
      record.expiryIndex = index;
    },
  );

  /** @param salt tells this store's ids from another's */
  constructor(number: number, name: string, salt: number, journal: Journal) {
    this.number = number;
    this.name = name;
    this.#journal = journal;
    this.createId = messageIdMaker(number, salt);
  }

  get size(): number {
    return this.#counts.ready + this.#counts.scheduled + this.#counts.leased;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get hasReady(): boolean {
    return this.#ready.size > 0 || this.#suspects.size > 0;
  }

  nextSequence(): number {
    this.#lastSequence += 1;
    return this.#lastSequence;
  }

  counts(): QueueCounts {
    const oldestTimestamp = this.#byAge.peek()?.timestamp ?? null;
    return { ...this.#counts, bytes: this.#bytes, oldestTimestamp };
  }

  /** new -> ready or scheduled. A first delay keeps a message out of its group (G11). */
  add(record: MessageRecord, now: number): void {
    this.#addBytes(record.bytes);
    if (record.availableAt > now) this.#place(record, 'scheduled', this.#scheduled);
    else this.#enter(record);
  }

  /** any state -> gone; its group goes on. */
  remove(record: MessageRecord, now: number): void {
    this.#addBytes(-record.bytes);
    if (record.lease === null) this.#unplace(record);
    else this.#endLease(record);
    const { groupId, inGroup } = record;
    if (groupId === null || inGroup !== 'outside') return;
    const group = this.#group(groupId);
    this.#countOutside(group, -1);
    this.#openGroup(groupId, group, now);
  }

  /** any state -> leased. */
  lease(record: MessageRecord, lease: HeldLease): void {
    if (record.lease === null) this.#unplace(record);
    else this.#endLease(record);
    record.lease = lease;
    if (record.suspect) this.#suspectsLeased += 1;
    if (record.groupId !== null && record.inGroup !== 'outside') {
      this.#stepOutside(record, this.#group(record.groupId));
    }
    this.#place(record, 'leased', this.#leased);
  }

  /**
   * leased -> ready or scheduled.
   * @param change sets what the delivery left behind; called while the message is in no heap
   */
  release(record: MessageRecord, now: number, change: (record: MessageRecord) => void): void {
    this.#endLease(record);
    change(record);
    if (record.groupId === null) {
      this.#placeByTime(record, now);
      return;
    }
    const group = this.#group(record.groupId);
    this.#countOutside(group, -1);
    if (record.availableAt === NEVER) {
      // Parked for good: its group need not wait for it.
      this.#setInGroup(record, 'none');
      this.#place(record, 'scheduled', this.#scheduled);
    } else this.#wait(record, group);
    this.#openGroup(record.groupId, group, now);
  }

  /** Moves the end of a lease. */
  extend(record: MessageRecord, until: number): void {
    this.#unplace(record);
    record.lease = { ...record.lease!, until };
    this.#place(record, 'leased', this.#leased);
  }

  /** scheduled -> ready, as far as due. @returns whether any was */
  promoteDue(now: number): boolean {
    let promoted = false;
    for (let due = this.#scheduled.peek(); due !== undefined; due = this.#scheduled.peek()) {
      if (due.availableAt > now || due.availableAt === NEVER) break;
      this.#unplace(due);
      if (due.inGroup === 'outside') this.#placeReady(due);
      else this.#enter(due);
      promoted = true;
    }
    return promoted;
  }

  /**
   * The next message that may be handed out, or undefined. A suspect comes alone, and not while
   * another one is held; it does not stop the others then.
   */
  nextEligible(now: number, batchIsEmpty: boolean): MessageRecord | undefined {
    for (;;) {
      const plain = this.#ready.peek();
      const suspect = this.#suspectsLeased === 0 ? this.#suspects.peek() : undefined;
      const isSuspectFirst =
        suspect !== undefined && (plain === undefined || byPriority(suspect, plain));
      const next = isSuspectFirst ? suspect : plain;
      if (next === undefined) return undefined;
      if (!isExpired(next, now)) return isSuspectFirst && !batchIsEmpty ? undefined : next;
      this.#unplace(next);
      this.#place(next, 'ready', this.#overdue);
    }
  }

  /** The next of a held message's group, if one batch may hold it too; order is kept. */
  nextInGroup(groupId: string, now: number): MessageRecord | undefined {
    const next = this.#groups.get(groupId)?.waiting.peek();
    if (next === undefined || next.suspect || next.availableAt > now) return undefined;
    return isExpired(next, now) ? undefined : next;
  }

  /** What `drop-oldest` drops next: the oldest ready one, else the scheduled one due first. */
  nextToEvict(): MessageRecord | undefined {
    return this.#byAge.peek() ?? this.#scheduled.peek();
  }

  /** A message whose lease has ended, or undefined. */
  nextLeaseEnded(now: number): MessageRecord | undefined {
    const first = this.#leased.peek();
    return first !== undefined && first.lease!.until <= now ? first : undefined;
  }

  /** A message past its TTL that is not leased, or undefined. */
  nextExpired(now: number): MessageRecord | undefined {
    const first = this.#byExpiry.peek();
    return first !== undefined && first.expiresAt! <= now ? first : undefined;
  }

  /** @returns milliseconds since 1970 when a sweep has something to do; Infinity: never */
  nextDue(): number {
    return Math.min(
      this.#leased.peek()?.lease?.until ?? Infinity,
      this.#byExpiry.peek()?.expiresAt ?? Infinity,
      this.#nextAvailable(),
      this.deduplication.nextForgotten(),
    );
  }

  /** Every stored message, in no order. */
  *stored(): Generator<MessageRecord> {
    for (const heap of [this.#ready, this.#suspects, this.#overdue]) yield* heap.values();
    for (const group of this.#groups.values()) yield* group.waiting.values();
    yield* this.#scheduled.values();
    yield* this.#leased.values();
  }

  #nextAvailable(): number {
    const next = this.#scheduled.peek()?.availableAt ?? NEVER;
    return next === NEVER ? Infinity : next;
  }

  #endLease(record: MessageRecord): void {
    const { lease } = record;
    this.#unplace(record);
    record.lease = null;
    if (record.suspect) this.#suspectsLeased -= 1;
    this.#journal.note(() => {
      record.lease = lease;
      if (record.suspect) this.#suspectsLeased += 1;
    });
  }

  /** Joins its group, if it has one, as the head when nobody else is. */
  #enter(record: MessageRecord): void {
    if (record.groupId === null) {
      this.#placeReady(record);
      return;
    }
    const group = this.#group(record.groupId);
    if (group.outside > 0) {
      this.#wait(record, group);
    } else {
      this.#stepOutside(record, group);
      this.#placeReady(record);
    }
  }

  #wait(record: MessageRecord, group: Group): void {
    this.#setInGroup(record, 'waiting');
    this.#place(record, 'ready', group.waiting);
  }

  #stepOutside(record: MessageRecord, group: Group): void {
    this.#setInGroup(record, 'outside');
    this.#countOutside(group, 1);
  }

  /** Makes the first of those who wait the head, once nobody is held. */
  #openGroup(groupId: string, group: Group, now: number): void {
    if (group.outside > 0) return;
    const head = group.waiting.peek();
    if (head === undefined) {
      this.#groups.delete(groupId);
      this.#journal.note(() => this.#groups.set(groupId, group));
      return;
    }
    this.#unplace(head);
    this.#stepOutside(head, group);
    this.#placeByTime(head, now);
  }

  #group(groupId: string): Group {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      group = { outside: 0, waiting: placeHeap(bySequence) };
      this.#groups.set(groupId, group);
      this.#journal.note(() => this.#groups.delete(groupId));
    }
    return group;
  }

  #placeByTime(record: MessageRecord, now: number): void {
    if (record.availableAt > now) this.#place(record, 'scheduled', this.#scheduled);
    else this.#placeReady(record);
  }

  #placeReady(record: MessageRecord): void {
    this.#place(record, 'ready', record.suspect ? this.#suspects : this.#ready);
  }

  #place(record: MessageRecord, state: MessageState, heap: Heap<MessageRecord>): void {
    record.state = state;
    record.heap = heap;
    heap.push(record);
    this.#counts[state] += 1;
    if (state === 'ready') this.#byAge.push(record);
    if (state !== 'leased' && expiryOf(record) !== null) this.#byExpiry.push(record);
    this.#journal.note(() => this.#unplace(record));
  }

  #unplace(record: MessageRecord): void {
    const { state } = record;
    const heap = record.heap!;
    heap.removeAt(record.heapIndex);
    this.#counts[state] -= 1;
    if (state === 'ready') this.#byAge.removeAt(record.ageIndex);
    if (state !== 'leased' && expiryOf(record) !== null) {
      this.#byExpiry.removeAt(record.expiryIndex);
    }
    this.#journal.note(() => this.#place(record, state, heap));
  }

  #addBytes(bytes: number): void {
    this.#bytes += bytes;
    this.#journal.note(() => {
      this.#bytes -= bytes;
    });
  }

  #countOutside(group: Group, change: number): void {
    group.outside += change;
    this.#journal.note(() => {
      group.outside -= change;
    });
  }

  #setInGroup(record: MessageRecord, inGroup: MessageRecord['inGroup']): void {
    const before = record.inGroup;
    record.inGroup = inGroup;
    this.#journal.note(() => {
      record.inGroup = before;
    });
  }
}
