/** New publishes are let in again when so much of the budget is left. */
const ROOM_SHARE = 0.75;

/** Bytes of publishes that are not stored yet, over all connections of a broker. */
export class PublishBudget {
  readonly #max: number;
  readonly #changed: (isFull: boolean) => void;
  readonly #waiting = new Set<() => void>();
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

  /** Calls back once, when there is room. */
  whenRoom(resume: () => void): void {
    this.#waiting.add(resume);
  }

  /** Whoever waits does so no more. */
  forget(resume: () => void): void {
    this.#waiting.delete(resume);
  }
}
