import type { RateLimit } from '../../core/driver.ts';
import {
  isFullAgain,
  isSameRate,
  refilled,
  spent,
  type TokenBucket,
  waitFor,
} from '../../core/token-bucket.ts';

/** How fast one queue's messages were leased lately: a token bucket for it and for each group. */
export class Rates {
  /** By group, null for the queue itself; in order of their last change. A missing one is full. */
  readonly #buckets = new Map<string | null, TokenBucket>();

  /**
   * @param limit null: as fast as one likes
   * @returns milliseconds until the limit lets one more go
   */
  wait(key: string | null, limit: RateLimit | null, now: number): number {
    if (limit === null) return 0;
    const before = this.#buckets.get(key);
    const bucket = refilled(before, limit, now);
    // From now on this limit fills it.
    if (before !== undefined && !isSameRate(before.limit, limit)) this.#set(key, bucket);
    return waitFor(bucket);
  }

  /** One more goes; the limit must let it. */
  spend(key: string | null, limit: RateLimit | null, now: number): void {
    if (limit !== null) this.#set(key, spent(refilled(this.#buckets.get(key), limit, now)));
  }

  /** Drops what is full again. What is behind a slower one stays a little: nobody can tell. */
  forget(now: number): void {
    for (const [key, bucket] of this.#buckets) {
      if (!isFullAgain(bucket, now)) return;
      this.#buckets.delete(key);
    }
  }

  #set(key: string | null, bucket: TokenBucket): void {
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
  }
}
