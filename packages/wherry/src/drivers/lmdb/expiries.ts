import { expiryKeyMaker, get48 } from './keys.ts';
import type { Tables } from './tables.ts';

const expiryKey = expiryKeyMaker();

/**
 * How far the sweeper has come in `expiry`. What it passed is gone, or was leased: when such a
 * lease ends without the message being gone, `returned` takes it back to the start.
 */
export class Expiries {
  readonly #tables: Tables;
  #passed: Uint8Array | null = null;
  #passedTime = -1;
  /** Nothing expires before this; it may be too early. */
  #next = 0;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** A message with a TTL is not leased: a new one, or one whose lease ended. */
  returned(expiresAt: number): void {
    if (expiresAt <= this.#passedTime) this.reset();
    if (expiresAt < this.#next) this.#next = expiresAt;
  }

  reset(): void {
    this.#passed = null;
    this.#passedTime = -1;
    this.#next = 0;
  }

  /** Where the next sweep goes on. */
  get start(): Uint8Array {
    return this.#passed ?? Buffer.from(expiryKey(0, 0, 0));
  }

  /** @param key of an entry that needs no second look unless it is `returned` */
  pass(key: Uint8Array): void {
    const passed = new Uint8Array(key.length + 1);
    passed.set(key);
    this.#passed = passed;
    this.#passedTime = get48(key, 0);
  }

  /** @returns when the next message expires, in milliseconds since 1970; Infinity: none does */
  next(now: number): number {
    if (this.#next > now) return this.#next;
    this.#next = Number.POSITIVE_INFINITY;
    const range = { start: this.start, limit: 1, values: false, snapshot: false } as const;
    for (const key of this.#tables.expiry.getKeys(range)) {
      this.#next = get48(key, 0);
    }
    return this.#next;
  }
}
