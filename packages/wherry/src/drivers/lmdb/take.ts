import type { LeasedMessage, TakeRequest } from '../../core/driver.ts';
import { waitingFrom } from './groups.ts';
import { GROUP, isExpired, MAIN, type Space, toLeasedMessage } from './item.ts';
import { orderOf, priorityOf, sequenceOf, textKey } from './keys.ts';
import { createLease, type Lease } from './leases.ts';
import { findById, leaseOn } from './lookup.ts';
import type { Mark } from './marks.ts';
import { promoteDue } from './promotion.ts';
import type { QueueState } from './queue-state.ts';
import { decodeRecord, type StoredRecord } from './record.ts';
import { mainRange, readRecord, setAside } from './spaces.ts';
import type { LmdbStore } from './store.ts';

/** ready -> leased: what may be handed out now, at most `max`. */
export function take(store: LmdbStore, request: TakeRequest): LeasedMessage[] {
  const queue = store.queue(request.queue);
  promoteDue(store, queue, store.now());
  const batch = new Batch(store, queue, request);
  if (request.ids === undefined) batch.takeInOrder();
  else batch.takeByIds(request.ids);
  batch.finish();
  return batch.messages;
}

/** What is being handed out to one consumer at once. */
class Batch {
  readonly messages: LeasedMessage[] = [];
  readonly #store: LmdbStore;
  readonly #queue: QueueState;
  readonly #request: TakeRequest;
  readonly #now: number;
  readonly #until: number;
  readonly #mark: Mark;
  /** A suspect ends the batch: it is handed out alone. */
  #isClosed = false;
  readonly #unreadable: number[] = [];

  constructor(store: LmdbStore, queue: QueueState, request: TakeRequest) {
    this.#store = store;
    this.#queue = queue;
    this.#request = request;
    this.#now = store.now();
    this.#until = this.#now + request.leaseDuration;
    this.#mark = store.newMark(queue, request.consumerId, request.bound);
  }

  get #isFull(): boolean {
    return this.#isClosed || this.messages.length >= this.#request.max;
  }

  takeInOrder(): void {
    const { scan, leasedSuspects } = this.#queue;
    const mayHaveSuspect = leasedSuspects === 0;
    while (!this.#isFull) {
      const returned = scan.returned.minKey;
      const suspect = mayHaveSuspect ? scan.suspects.minKey : Number.POSITIVE_INFINITY;
      const next = scan.nextOrder();
      const known = Math.min(returned, suspect);
      if (next < known) {
        this.#walk(next, known);
      } else if (known < Number.POSITIVE_INFINITY) {
        (known === returned ? scan.returned : scan.suspects).pop();
        this.#takeAt(known);
      } else break;
    }
    for (const order of this.#unreadable) setAside(this.#store, this.#queue, placeOf(order));
  }

  /** What was handed out is to be known after a crash, and to end. */
  finish(): void {
    if (this.messages.length > 0) this.#store.markChanged(this.#mark);
  }

  takeByIds(ids: readonly string[]): void {
    for (const id of new Set(ids)) {
      if (this.#isFull) return;
      const found = findById(this.#store, id);
      if (found === null || found.queue !== this.#queue || leaseOn(found) !== null) continue;
      if (isExpired(found.record, this.#now)) continue;
      const { sequence, space, due } = found.item;
      this.#lease(found.record, sequence, space, due);
    }
  }

  /** Looks at messages that no take has seen yet, of one priority, as far as `before`. */
  #walk(from: number, before: number): void {
    const priority = priorityOf(from);
    const cursor = this.#queue.scan.cursor(priority);
    const last = before <= orderOf(priority, cursor.tail) ? sequenceOf(before) - 1 : cursor.tail;
    const limit = this.#request.max - this.messages.length;
    const range = mainRange(this.#queue, priority, cursor.position + 1, last);
    let seen = 0;
    const walk = this.#store.tables.messageWalk.getRange({ ...range, limit, snapshot: false });
    for (const { key, value } of walk) {
      const sequence = key as number;
      seen += 1;
      cursor.position = sequence;
      if (!this.#queue.leases.has(sequence)) {
        const record = decodeRecord(value, this.#queue.number, sequence);
        this.#consider(priority, sequence, record);
        if (this.#isFull) return;
      }
    }
    if (seen < limit) cursor.position = last;
  }

  /** Looks at a message that is ready again. Nothing may be there: such entries go stale. */
  #takeAt(order: number): void {
    const sequence = sequenceOf(order);
    if (this.#queue.leases.has(sequence)) return;
    const record = readRecord(this.#store, this.#queue, placeOf(order));
    if (record !== undefined) this.#consider(priorityOf(order), sequence, record);
  }

  #consider(priority: number, sequence: number, record: StoredRecord | null): void {
    if (record === null) {
      this.#unreadable.push(orderOf(priority, sequence));
      return;
    }
    // The sweeper finds it by its TTL.
    if (isExpired(record, this.#now)) return;
    if (record.suspect) {
      const mustWait = this.#queue.leasedSuspects > 0;
      if (mustWait || this.messages.length > 0) {
        this.#queue.scan.suspects.push(orderOf(priority, sequence), null);
        this.#isClosed = !mustWait;
        return;
      }
      this.#isClosed = true;
    }
    this.#lease(record, sequence, MAIN, 0);
    if (record.groupId !== null && !record.suspect) this.#takeFollowers(record.groupId);
  }

  /** One batch may hold several of a group, in order (G11). */
  #takeFollowers(groupId: string): void {
    const key = textKey(this.#queue.number, groupId);
    let from = 0;
    let held = 1;
    while (held < this.#request.perGroup && !this.#isFull) {
      const next = waitingFrom(this.#store, this.#queue, key, from);
      if (next === undefined) return;
      const { item, record } = next;
      from = item.sequence + 1;
      // The sweeper may hold some that expired.
      if (this.#queue.leases.has(item.sequence)) continue;
      if (record.suspect || record.availableAt > this.#now || isExpired(record, this.#now)) return;
      this.#lease(record, item.sequence, GROUP, 0);
      held += 1;
    }
  }

  #lease(record: StoredRecord, sequence: number, space: Space, due: number): void {
    const { consumerId } = this.#request;
    const lease: Lease = createLease(this.#queue, record, sequence, space, due, {
      mark: this.#mark,
      consumerId,
      token: this.#store.nextToken(),
      until: this.#until,
      cause: null,
    });
    this.#mark.leases.push(lease);
    this.#store.leases.add(lease);
    this.messages.push(toLeasedMessage(this.#queue, record, lease));
  }
}

function placeOf(order: number): Parameters<typeof readRecord>[2] {
  const [priority, sequence] = [priorityOf(order), sequenceOf(order)];
  return { space: MAIN, priority, sequence, due: 0, groupId: null };
}
