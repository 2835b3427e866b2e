import { NEVER, type QueueCounts } from '../../core/driver.ts';
import type { MessageState } from '../../core/message.ts';
import { Heap } from './heap.ts';
import type { Journal } from './journal.ts';
import { byDueTime, byPriority, bySequence, placeHeap } from './ready-order.ts';
import { expiryOf, type MessageRecord } from './record.ts';

/**
 * Where a queue has its messages: each in exactly one heap, by its state and by what it waits for.
 * `put` and `pull` are the only two that touch a heap together with its indexes and counters.
 */
export class Places {
  readonly ready: Heap<MessageRecord> = placeHeap(byPriority);
  /** Ready, but their last holder died: handed out one at a time (G6). */
  readonly suspects: Heap<MessageRecord> = placeHeap(byPriority);
  /** Ready, but past their TTL: out of `take`'s way until they are swept. */
  readonly overdue: Heap<MessageRecord> = placeHeap(bySequence);
  /** Ready, but their group's rate limit lets none go before `resumesAt`. */
  readonly limited: Heap<MessageRecord> = placeHeap((a, b) => a.resumesAt < b.resumesAt);
  readonly scheduled: Heap<MessageRecord> = placeHeap(byDueTime);
  readonly leased: Heap<MessageRecord> = placeHeap((a, b) => a.lease!.until < b.lease!.until);
  readonly #journal: Journal;
  #bytes = 0;
  #leasedBytes = 0;
  readonly #counts: Record<MessageState, number> = { ready: 0, scheduled: 0, leased: 0 };
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

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  get size(): number {
    return this.#counts.ready + this.#counts.scheduled + this.#counts.leased;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get leasedBytes(): number {
    return this.#leasedBytes;
  }

  counts(): Omit<QueueCounts, 'arrived'> {
    const oldestTimestamp = this.#byAge.peek()?.timestamp ?? null;
    return { ...this.#counts, bytes: this.#bytes, oldestTimestamp };
  }

  /** Puts a message that is nowhere into a heap: one of those above, or another for that state. */
  put(record: MessageRecord, state: MessageState, heap: Heap<MessageRecord>): void {
    record.state = state;
    record.heap = heap;
    heap.push(record);
    this.#counts[state] += 1;
    if (state === 'leased') this.#leasedBytes += record.bytes;
    if (state === 'ready') this.#byAge.push(record);
    if (state !== 'leased' && expiryOf(record) !== null) this.#byExpiry.push(record);
    this.#journal.note(() => this.pull(record));
  }

  /** Takes a message out of the heap it is in. */
  pull(record: MessageRecord): void {
    const { state } = record;
    const heap = record.heap!;
    heap.removeAt(record.heapIndex);
    this.#counts[state] -= 1;
    if (state === 'leased') this.#leasedBytes -= record.bytes;
    if (state === 'ready') this.#byAge.removeAt(record.ageIndex);
    if (state !== 'leased' && expiryOf(record) !== null) {
      this.#byExpiry.removeAt(record.expiryIndex);
    }
    this.#journal.note(() => this.put(record, state, heap));
  }

  putByTime(record: MessageRecord, now: number): void {
    if (record.availableAt > now) this.put(record, 'scheduled', this.scheduled);
    else this.putReady(record);
  }

  putReady(record: MessageRecord): void {
    this.put(record, 'ready', record.suspect ? this.suspects : this.ready);
  }

  /** Keeps a ready message out of the way of those that may be handed out. */
  setAside(record: MessageRecord, heap: Heap<MessageRecord>): void {
    this.pull(record);
    this.put(record, 'ready', heap);
  }

  addBytes(bytes: number): void {
    this.#bytes += bytes;
    this.#journal.note(() => {
      this.#bytes -= bytes;
    });
  }

  /** All but those in heaps that are a group's. */
  *values(): Generator<MessageRecord> {
    const { ready, suspects, overdue, limited, scheduled, leased } = this;
    for (const heap of [ready, suspects, overdue, limited, scheduled, leased]) yield* heap.values();
  }

  /** The oldest ready one, or undefined. */
  oldest(): MessageRecord | undefined {
    return this.#byAge.peek();
  }

  /** A message past its TTL that is not leased, or undefined. */
  nextExpired(now: number): MessageRecord | undefined {
    const first = this.#byExpiry.peek();
    return first !== undefined && first.expiresAt! <= now ? first : undefined;
  }

  /** @returns milliseconds since 1970 when a lease ends, a TTL or a delay; Infinity: never */
  nextDue(): number {
    const dueAt = this.scheduled.peek()?.availableAt ?? NEVER;
    return Math.min(
      this.leased.peek()?.lease?.until ?? Infinity,
      this.#byExpiry.peek()?.expiresAt ?? Infinity,
      dueAt === NEVER ? Infinity : dueAt,
    );
  }
}
