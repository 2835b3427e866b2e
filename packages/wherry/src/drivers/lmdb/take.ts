import type { LeasedMessage, TakeRequest } from '../../core/driver.ts';
import { waitingFrom } from './groups.ts';
import { isExpired, type Item, itemOf, MAIN, toLeasedMessage } from './item.ts';
import { orderOf, priorityOf, sequenceOf, textKey } from './keys.ts';
import type { Lease } from './leases.ts';
import { findById, leaseOn } from './lookup.ts';
import type { Mark } from './marks.ts';
import { promoteDue } from './promotion.ts';
import type { QueueState } from './queue-state.ts';
import { decodeRecord, type StoredRecord } from './record.ts';
import { mainRange, orderInMain, readRecord, setAside } from './spaces.ts';
import type { LmdbStore } from './store.ts';

/** ready -> leased: what may be handed out now, at most `max`. */
export function take(store: LmdbStore, request: TakeRequest): LeasedMessage[] {
  const queue = store.queue(request.queue);
  promoteDue(store, queue, store.now());
  const batch = new Batch(store, queue, request);
  if (request.ids === undefined) batch.takeInOrder();
  else batch.takeByIds(request.ids);
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

  takeByIds(ids: readonly string[]): void {
    for (const id of new Set(ids)) {
      if (this.#isFull) return;
      const found = findById(this.#store, id);
      if (found === null || found.queue !== this.#queue || leaseOn(found) !== null) continue;
      if (!isExpired(found.record, this.#now)) this.#lease(found.item, found.record);
    }
  }

  /** Looks at messages that no take has seen yet, of one priority, as far as `before`. */
  #walk(from: number, before: number): void {
    const priority = priorityOf(from);
    const cursor = this.#queue.scan.cursor(priority);
    const last =
      before <= orderOf(priority, cursor.tail) ? sequenceOf(before) - 1 : cursor.tail;
    const limit = this.#request.max - this.messages.length;
    const range = mainRange(this.#queue, priority, cursor.position + 1, last);
    let seen = 0;
    for (const { key, value } of this.#store.tables.messages.getRange({
      ...range,
      limit,
      snapshot: false,
    })) {
      seen += 1;
      const order = orderInMain(key as Uint8Array);
      cursor.position = sequenceOf(order);
      this.#consider(order, value);
      if (this.#isFull) return;
    }
    if (seen < limit) cursor.position = last;
  }

  /** Looks at a message that is ready again. Nothing may be there: such entries go stale. */
  #takeAt(order: number): void {
    const record = readRecord(this.#store, this.#queue, placeOf(order));
    if (record !== undefined) this.#decide(order, record);
  }

  #consider(order: number, value: Uint8Array): void {
    const sequence = sequenceOf(order);
    if (this.#queue.leases.has(sequence)) return;
    this.#decide(order, decodeRecord(value, this.#queue.number, sequence));
  }

  #decide(order: number, record: StoredRecord | null): void {
    const sequence = sequenceOf(order);
    if (this.#queue.leases.has(sequence)) return;
    if (record === null) {
      this.#unreadable.push(order);
      return;
    }
    // The sweeper finds it by its TTL.
    if (isExpired(record, this.#now)) return;
    if (record.suspect) {
      const mustWait = this.#queue.leasedSuspects > 0;
      if (mustWait || this.messages.length > 0) {
        this.#queue.scan.suspects.push(order, null);
        this.#isClosed = !mustWait;
        return;
      }
      this.#isClosed = true;
    }
    this.#lease(itemOf(this.#queue, record, sequence, MAIN), record);
    if (record.groupId !== null && !record.suspect) this.#takeFollowers(record.groupId);
  }

  /** One batch may hold several of a group, in order (G11). */
  #takeFollowers(groupId: string): void {
    const key = textKey(this.#queue.number, groupId);
    let from = 0;
    for (let held = 1; held < this.#request.perGroup && !this.#isFull; held += 1) {
      const next = waitingFrom(this.#store, this.#queue, key, from);
      if (next === undefined) return;
      const { item, record } = next;
      if (this.#queue.leases.has(item.sequence) || record.suspect) return;
      if (record.availableAt > this.#now || isExpired(record, this.#now)) return;
      this.#lease(item, record);
      from = item.sequence + 1;
    }
  }

  #lease(item: Item, record: StoredRecord): void {
    const { consumerId } = this.#request;
    const lease: Lease = {
      id: item.id,
      sequence: item.sequence,
      priority: item.priority,
      space: item.space,
      due: item.due,
      groupId: item.groupId,
      isHead: item.isHead,
      bytes: item.bytes,
      expiry: item.expiry,
      hasIdEntry: item.hasIdEntry,
      queue: this.#queue,
      suspect: record.suspect,
      deliveryCount: record.deliveryCount,
      mark: this.#mark,
      consumerId,
      token: this.#store.nextToken(),
      until: this.#until,
      cause: null,
      isActive: false,
    };
    this.#mark.leases.push(lease);
    this.#store.leases.add(lease);
    this.#store.markChanged(this.#mark);
    this.messages.push(toLeasedMessage(this.#queue, record, lease));
  }
}

function placeOf(order: number): Parameters<typeof readRecord>[2] {
  const [priority, sequence] = [priorityOf(order), sequenceOf(order)];
  return { space: MAIN, priority, sequence, due: 0, groupId: null };
}
