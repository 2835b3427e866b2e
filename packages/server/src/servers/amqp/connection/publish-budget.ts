import type { StoredMessage } from 'wherry';

/** What a message takes beside its bytes, about. */
export const MESSAGE_OVERHEAD = 512;

/** What a message takes that waits for something, in bytes: one without a payload is not nothing. */
export function memoryOf({ body }: Pick<StoredMessage, 'body'>): number {
  return body.length + MESSAGE_OVERHEAD;
}

/** New publishes are let in again when so much of the budget is left. */
const ROOM_SHARE = 0.75;

/** Who may have bytes that wait for its client: bodies that have begun, and transactions. */
export interface Reserver {
  readonly reserved: number;
  /** It has more than any other, and all together have too much: it must let go of it. */
  overdrawn(): void;
}

/** Bytes of publishes that are not stored yet, over all connections of a broker. */
export class PublishBudget {
  readonly #max: number;
  readonly #changed: (isFull: boolean) => void;
  readonly #waiting = new Set<() => void>();
  readonly #reservers = new Set<Reserver>();
  #reserved = 0;
  #held = 0;
  #wasFull = false;

  /** @param changed is told when the budget is full, and when there is room again */
  constructor(max: number, changed: (isFull: boolean) => void) {
    this.#max = max;
    this.#changed = changed;
  }

  get isFull(): boolean {
    return this.#held > this.#max;
  }

  hold(bytes: number): void {
    this.#held += bytes;
    if (this.#wasFull || !this.isFull) return;
    this.#wasFull = true;
    this.#changed(true);
  }

  release(bytes: number): void {
    this.#held -= bytes;
    if (!this.#wasFull || this.#held > this.#max * ROOM_SHARE) return;
    this.#wasFull = false;
    this.#changed(false);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }

  /**
   * Counts what waits for clients by itself: nobody may be kept waiting for it, as it may never come.
   * Above the limit, whoever has most loses it.
   * @param bytes that are more; below 0, less
   */
  reserve(reserver: Reserver, bytes: number): void {
    this.#reserved += bytes;
    if (bytes <= 0) return;
    // It stays among them until it goes: small bodies would come and go with every message.
    this.#reservers.add(reserver);
    if (this.#reserved <= this.#max) return;
    let most = reserver;
    for (const other of this.#reservers) if (other.reserved > most.reserved) most = other;
    most.overdrawn();
  }

  /** Calls back once, when there is room. */
  whenRoom(resume: () => void): void {
    this.#waiting.add(resume);
  }

  /** It has gone. @param resume what it waits with */
  forget(reserver: Reserver, resume: () => void): void {
    this.#reservers.delete(reserver);
    this.#waiting.delete(resume);
  }
}
