import type { LeasedMessage, QueueRef, TakeRequest, TakeResult } from '../../core/driver.ts';
import { isSameRate } from '../../core/token-bucket.ts';
import { waitingFrom } from './groups.ts';
import { GROUP, isExpired, MAIN, type Space, toLeasedMessage } from './item.ts';
import { keepLast } from './keep-last.ts';
import { orderOf, priorityOf, sequenceOf, textKey } from './keys.ts';
import { createLease, type Lease } from './leases.ts';
import { findById, leaseOn } from './lookup.ts';
import type { Mark } from './marks.ts';
import { promoteDue } from './promotion.ts';
import type { QueueState } from './queue-state.ts';
import { Rates } from './rates.ts';
import type { Passed } from './ready-scan.ts';
import { decodeRecord, type StoredRecord } from './record.ts';
import { mainRange, readRecord, setAside } from './spaces.ts';
import type { LmdbStore } from './store.ts';

/** ready -> leased: what may be handed out now, at most `max`. */
export function take(store: LmdbStore, request: TakeRequest): TakeResult {
  const queue = store.queue(request.queue);
  const now = store.now();
  heed(store, queue, request.queue, now);
  promoteDue(store, queue, now);
  const batch = new Batch(store, queue, request, true);
  if (request.ids === undefined) batch.takeInOrder();
  else batch.takeByIds(request.ids);
  batch.finish();
  const { messages, retryIn } = batch;
  if (request.queue.boundOn === 'waiting' && messages.length > 0) store.notifyRoom(queue);
  return { messages, retryIn };
}

/** What was taken without anything being written: the mark says so, and is to be stored soon. */
export interface Unwritten extends TakeResult {
  readonly mark: Mark;
}

/**
 * The same, as far as nothing has to be written for it.
 * @returns null: it takes a commit of its own, which will find more
 */
export function takeUnwritten(store: LmdbStore, request: TakeRequest): Unwritten | null {
  const queue = store.queue(request.queue);
  const now = store.now();
  const isSimple = request.ids === undefined && isPlain(queue, request.queue, now);
  if (!isSimple || !store.hasTokens(request.max)) return null;
  heed(store, queue, request.queue, now);
  const batch = new Batch(store, queue, request, false);
  const { savepoint } = store.leases;
  try {
    batch.takeInOrder();
  } catch (error) {
    store.leases.rollBack(savepoint);
    throw error;
  }
  return batch.isStuck && batch.messages.length === 0 ? null : batch;
}

/** The same between two commits: what was handed out is stored with the next one. */
export function takeBetween(store: LmdbStore, request: TakeRequest): TakeResult | null {
  const taken = takeUnwritten(store, request);
  if (taken === null) return null;
  const { messages, retryIn, mark } = taken;
  if (messages.length > 0) {
    store.leases.commit();
    store.handedOut(mark);
  }
  return { messages, retryIn };
}

/** Whether nothing but the messages that are taken depends on a take. */
export function isPlain(queue: QueueState, ref: QueueRef, now: number): boolean {
  const hasDue = queue.scheduled > 0 && queue.nextDue <= now;
  const hasRates = ref.rateLimit !== null || ref.groupRateLimit !== null;
  const isBounded = ref.maxSize !== Infinity || ref.maxBytes !== Infinity;
  const makesRoom = isBounded && ref.boundOn === 'waiting';
  const isHeeded = ref.groupMaxInFlight === queue.counters.slots;
  return isHeeded && !hasDue && !hasRates && !makesRoom;
}

/** Goes by these limits from now on: what others held back is looked at again. */
function heed(store: LmdbStore, queue: QueueState, ref: QueueRef, now: number): void {
  const { counters, scan } = queue;
  const { groupMaxInFlight, groupRateLimit } = ref;
  if (!isSameRate(groupRateLimit, scan.groupRateLimit) || groupMaxInFlight !== counters.slots) {
    scan.groupRateLimit = groupRateLimit;
    scan.lookAgain();
  }
  scan.resume(now);
  if (groupMaxInFlight === counters.slots) return;
  store.touch(queue);
  counters.slots = groupMaxInFlight;
}

/** What is being handed out to one consumer at once. */
class Batch {
  readonly messages: LeasedMessage[] = [];
  /** Milliseconds until a rate limit lets the next one go that it held back; null: none did. */
  retryIn: number | null = null;
  readonly #store: LmdbStore;
  readonly #queue: QueueState;
  readonly #request: TakeRequest;
  readonly #now: number;
  readonly #until: number;
  readonly mark: Mark;
  readonly #rates: Rates;
  readonly #room: number;
  /** Nothing more is handed out: the rate limit says so, or a suspect, which goes alone. */
  #isClosed = false;
  /** Nothing more is handed out, because that would have to write something. */
  isStuck = false;
  readonly #mayWrite: boolean;
  readonly #unreadable: number[] = [];
  readonly #replaceable: { readonly record: StoredRecord; readonly sequence: number }[] = [];

  constructor(store: LmdbStore, queue: QueueState, request: TakeRequest, mayWrite: boolean) {
    this.#store = store;
    this.#mayWrite = mayWrite;
    this.#queue = queue;
    this.#request = request;
    this.#now = store.now();
    this.#until = this.#now + request.leaseDuration;
    this.mark = store.newMark(queue, request.consumerId, request.bound);
    this.#rates = new Rates(store, queue, request.queue, this.#now);
    const { maxInFlight } = request.queue;
    const isInOrder = request.ids === undefined;
    this.#room = isInOrder ? Math.min(request.max, maxInFlight - queue.leases.size) : request.max;
  }

  get #isFull(): boolean {
    return this.#isClosed || this.messages.length >= this.#room;
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
      } else {
        this.retryIn = this.#nextWithinRate();
        break;
      }
    }
    for (const order of this.#unreadable) setAside(this.#store, this.#queue, placeOf(order));
  }

  /** What was handed out is to be known after a crash, and to end. */
  finish(): void {
    if (this.messages.length > 0) this.#store.markChanged(this.mark);
    this.#rates.finish();
    for (const { record, sequence } of this.#replaceable) {
      keepLast(this.#store, this.#queue, record, sequence);
    }
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
    const limit = this.#room - this.messages.length;
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
    if (!this.#mayWrite && (record === null || record.isReplaceable)) {
      this.#queue.scan.ready(priority, sequence, record?.suspect ?? false);
      this.isStuck = true;
      this.#isClosed = true;
      return;
    }
    if (record === null) {
      this.#unreadable.push(orderOf(priority, sequence));
      return;
    }
    // The sweeper finds it by its TTL.
    if (isExpired(record, this.#now)) return;
    const { suspect, groupId } = record;
    const { scan, leasedSuspects } = this.#queue;
    if (suspect && leasedSuspects > 0) {
      scan.suspects.push(orderOf(priority, sequence), null);
      return;
    }
    if (
      groupId !== null &&
      this.#isHeldBack(groupId, { order: orderOf(priority, sequence), suspect })
    )
      return;
    const isAlone = !suspect || this.messages.length === 0;
    const wait = isAlone ? this.#rates.queueWait() : 0;
    if (!isAlone || wait > 0) {
      scan.ready(priority, sequence, suspect);
      this.#isClosed = true;
      if (wait > 0) this.retryIn = wait;
      return;
    }
    this.#isClosed = suspect;
    this.#rates.spend(groupId);
    this.#lease(record, sequence, MAIN, 0);
    if (groupId !== null && !suspect) this.#takeFollowers(groupId);
  }

  /** Passes over what its group has no slot or no token for. @returns whether it did */
  #isHeldBack(groupId: string, passed: Passed): boolean {
    const { scan, heldOfGroup } = this.#queue;
    const wait = this.#rates.groupWait(groupId);
    if (wait > 0) {
      scan.limited.push(this.#now + wait, passed);
      return true;
    }
    const isFull = (heldOfGroup.get(groupId) ?? 0) >= this.#request.queue.groupMaxInFlight;
    if (isFull) scan.block(groupId, passed);
    return isFull;
  }

  /** @returns milliseconds until a group's rate limit lets one go that it holds back; null: none */
  #nextWithinRate(): number | null {
    const { limited } = this.#queue.scan;
    for (let next = limited.peek(); next !== undefined; next = limited.peek()) {
      if (this.#isWaiting(next.order)) return limited.minKey - this.#now;
      limited.pop();
    }
    return null;
  }

  /** @returns whether a ready message is there */
  #isWaiting(order: number): boolean {
    if (this.#queue.leases.has(sequenceOf(order))) return false;
    const record = readRecord(this.#store, this.#queue, placeOf(order));
    if (record === null) this.#unreadable.push(order);
    return !!record && !isExpired(record, this.#now);
  }

  /** One batch may hold several of a group, in order (G11). */
  #takeFollowers(groupId: string): void {
    if (this.#request.queue.groupMaxInFlight > 1) return;
    const key = textKey(this.#queue.number, groupId);
    let from = 0;
    let held = 1;
    while (held < this.#request.perGroup && !this.#isFull) {
      const next = waitingFrom(this.#store, this.#queue, key, from);
      if (next === undefined) return;
      const { item, record } = next;
      from = item.sequence + 1;
      if (record.suspect || record.availableAt > this.#now || isExpired(record, this.#now)) return;
      if (this.#rates.queueWait() > 0 || this.#rates.groupWait(groupId) > 0) return;
      this.#rates.spend(groupId);
      this.#lease(record, item.sequence, GROUP, 0);
      held += 1;
    }
  }

  #lease(record: StoredRecord, sequence: number, space: Space, due: number): void {
    const { consumerId } = this.#request;
    const lease: Lease = createLease(this.#queue, record, sequence, space, due, {
      mark: this.mark,
      consumerId,
      token: this.#store.nextToken(),
      until: this.#until,
      cause: null,
    });
    if (record.isReplaceable) this.#replaceable.push({ record, sequence });
    this.mark.leases.push(lease);
    this.#store.leases.add(lease);
    this.messages.push(toLeasedMessage(this.#queue, record, lease));
  }
}

function placeOf(order: number): Parameters<typeof readRecord>[2] {
  const [priority, sequence] = [priorityOf(order), sequenceOf(order)];
  return { space: MAIN, priority, sequence, due: 0, groupId: null };
}
