import type { Heap } from './heap.ts';
import type { Journal } from './journal.ts';
import type { Places } from './places.ts';
import { bySequence, placeHeap } from './ready-order.ts';
import type { MessageRecord } from './record.ts';

/** The members of one group that are stored and past their first delay. */
interface Group {
  /** How many may be handed out, or were and did not end: they are ready, leased or backing off. */
  outside: number;
  leased: number;
  /** While as many are outside as the group has slots, the others wait. */
  readonly waiting: Heap<MessageRecord>;
  /** Outside and ready, but as many were leased as there are slots: there were more before. */
  readonly blocked: Heap<MessageRecord>;
}

/**
 * Which messages of a queue wait for others of their group (G11). `slots` is how many may be
 * outside: the `groupMaxInFlight` of whoever calls, so that a change takes effect with the next
 * message that enters or leaves.
 */
export class Groups {
  readonly #journal: Journal;
  readonly #places: Places;
  readonly #groups = new Map<string, Group>();

  constructor(journal: Journal, places: Places) {
    this.#journal = journal;
    this.#places = places;
  }

  /** A message that is in no heap joins its group, behind those who wait. */
  enter(record: MessageRecord, slots: number, now: number): void {
    const group = this.#group(record.groupId!);
    this.#setInGroup(record, 'waiting');
    this.#places.put(record, 'ready', group.waiting);
    this.#open(record.groupId!, group, slots, now);
  }

  /** A message that is in no heap is no member any more; others may have its place. */
  leave(record: MessageRecord, slots: number, now: number): void {
    const { inGroup } = record;
    this.#setInGroup(record, 'none');
    if (inGroup !== 'outside') return;
    const group = this.#group(record.groupId!);
    this.#countOutside(group, -1);
    this.#open(record.groupId!, group, slots, now);
  }

  /** A message that is in no heap, and was leased, waits again: it may come outside at once. */
  goBack(record: MessageRecord, slots: number, now: number): void {
    this.#countOutside(this.#group(record.groupId!), -1);
    this.enter(record, slots, now);
  }

  /** A member is leased: those who were not handed out in order are outside now, too. */
  countLeased(record: MessageRecord): void {
    const group = this.#group(record.groupId!);
    group.leased += 1;
    if (record.inGroup === 'outside') return;
    this.#setInGroup(record, 'outside');
    this.#countOutside(group, 1);
  }

  /** A lease of a member has ended. */
  uncountLeased({ groupId }: MessageRecord): void {
    const group = this.#group(groupId!);
    group.leased -= 1;
    this.#journal.note(() => {
      group.leased += 1;
    });
    this.#unblock(group);
  }

  /** Puts a ready message aside if enough of its group are leased. @returns whether it did */
  block(record: MessageRecord, slots: number): boolean {
    if (record.groupId === null) return false;
    const group = this.#group(record.groupId);
    if (group.leased < slots) return false;
    this.#places.setAside(record, group.blocked);
    return true;
  }

  /** What was put aside for want of slots is looked at again. */
  unblock(): void {
    for (const group of this.#groups.values()) this.#unblock(group);
  }

  /** The first of those who wait, or undefined. */
  firstWaiting(groupId: string): MessageRecord | undefined {
    return this.#groups.get(groupId)?.waiting.peek();
  }

  /** The members that are in no heap but their group's. */
  *inside(): Generator<MessageRecord> {
    for (const { waiting, blocked } of this.#groups.values()) {
      yield* waiting.values();
      yield* blocked.values();
    }
  }

  /** Lets as many come outside, the first of those who wait first, as there are slots. */
  #open(groupId: string, group: Group, slots: number, now: number): void {
    while (group.outside < slots) {
      const first = group.waiting.peek();
      if (first === undefined) break;
      this.#places.pull(first);
      this.#setInGroup(first, 'outside');
      this.#countOutside(group, 1);
      this.#places.putByTime(first, now);
    }
    if (group.outside > 0) return;
    this.#groups.delete(groupId);
    this.#journal.note(() => this.#groups.set(groupId, group));
  }

  #unblock({ blocked }: Group): void {
    for (let next = blocked.peek(); next !== undefined; next = blocked.peek()) {
      this.#places.pull(next);
      this.#places.putReady(next);
    }
  }

  #group(groupId: string): Group {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      const waiting = placeHeap(bySequence);
      group = { outside: 0, leased: 0, waiting, blocked: placeHeap(bySequence) };
      this.#groups.set(groupId, group);
      this.#journal.note(() => this.#groups.delete(groupId));
    }
    return group;
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
