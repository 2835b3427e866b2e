import type { RateLimit } from '../../core/driver.ts';
import type { Counters } from './counters.ts';
import { MinHeap } from './heap.ts';
import { orderOf, priorityOf, sequenceOf } from './keys.ts';

/** How far `take` has come in one priority's messages. */
export interface Cursor {
  /** All up to this sequence were looked at; what became ready again since is in a heap. */
  position: number;
  /** The greatest sequence that was placed. */
  tail: number;
  /** Every stored message below this is leased: where to begin when looking for the oldest. */
  floor: number;
}

/** A ready message that `take` has passed over. */
export interface Passed {
  readonly order: number;
  readonly suspect: boolean;
}

/** Beyond this, walking again is cheaper than remembering. */
const RETURNED_MAX = 100_000;

/**
 * Where `take` goes on looking in a queue's ready messages. Nothing here is the truth: an entry
 * may be stale, and after a reset everything is found again by walking from the start.
 */
export class ReadyScan {
  readonly #counters: Counters;
  readonly #cursors = new Map<number, Cursor>();
  /** Behind a cursor but ready again, by order. */
  readonly returned: MinHeap<null> = new MinHeap();
  /** The same for those that are handed out alone. */
  readonly suspects: MinHeap<null> = new MinHeap();
  /** Passed over until a time, because of their group's rate limit: milliseconds since 1970. */
  readonly limited: MinHeap<Passed> = new MinHeap();
  /** By group: passed over because enough of it are leased. */
  readonly #blocked = new Map<string, Passed[]>();
  /** The limit of the last take: `limited` goes by it. */
  groupRateLimit: RateLimit | null = null;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  cursor(priority: number): Cursor {
    let cursor = this.#cursors.get(priority);
    if (cursor === undefined) {
      // Anything that is stored already has a smaller sequence than the next.
      cursor = { position: 0, tail: this.#counters.nextSequence - 1, floor: 0 };
      this.#cursors.set(priority, cursor);
    }
    return cursor;
  }

  /** A message is ready: it was placed in `messages`, or its lease there ended. */
  ready(priority: number, sequence: number, suspect: boolean): void {
    const cursor = this.cursor(priority);
    if (sequence > cursor.tail) cursor.tail = sequence;
    if (sequence < cursor.floor) cursor.floor = sequence;
    if (sequence > cursor.position) return;
    const heap = suspect ? this.suspects : this.returned;
    heap.push(orderOf(priority, sequence), null);
    if (heap.size > RETURNED_MAX) this.#rewind(heap);
  }

  /** A message was placed in `messages` that is leased already. */
  leased(priority: number, sequence: number): void {
    const cursor = this.cursor(priority);
    if (cursor.position >= cursor.tail) cursor.position = Math.max(cursor.position, sequence);
    if (sequence > cursor.tail) cursor.tail = sequence;
  }

  /** Passes over a ready message for as long as its group has enough leases. */
  block(groupId: string, passed: Passed): void {
    const blocked = this.#blocked.get(groupId);
    if (blocked === undefined) this.#blocked.set(groupId, [passed]);
    else blocked.push(passed);
  }

  hasBlocked(groupId: string): boolean {
    return this.#blocked.has(groupId);
  }

  /** A lease of the group has ended: what was passed over is looked at again. */
  unblock(groupId: string): void {
    const blocked = this.#blocked.get(groupId);
    if (blocked === undefined) return;
    this.#blocked.delete(groupId);
    for (const passed of blocked) this.#ready(passed);
  }

  /** What a rate limit held back until now is looked at again. */
  resume(now: number): void {
    while (this.limited.size > 0 && this.limited.minKey <= now) this.#ready(this.limited.pop()!);
  }

  /** Limits have changed: all that was passed over is looked at again. */
  lookAgain(): void {
    for (const groupId of this.#blocked.keys()) this.unblock(groupId);
    this.resume(Infinity);
  }

  /** @returns the order of the first message that was not looked at yet; Infinity: none */
  nextOrder(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const priority of this.#counters.main.keys()) {
      const { position, tail } = this.cursor(priority);
      if (position < tail) first = Math.min(first, orderOf(priority, position + 1));
    }
    return first;
  }

  reset(): void {
    this.#cursors.clear();
    this.returned.clear();
    this.suspects.clear();
    this.limited.clear();
    this.#blocked.clear();
  }

  #ready({ order, suspect }: Passed): void {
    this.ready(priorityOf(order), sequenceOf(order), suspect);
  }

  #rewind(heap: MinHeap<null>): void {
    heap.forEach((order) => {
      const cursor = this.cursor(priorityOf(order));
      cursor.position = Math.min(cursor.position, sequenceOf(order) - 1);
    });
    heap.clear();
  }
}
