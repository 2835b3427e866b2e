/**
 * How fast messages were leased lately. A queue's own bucket is stored with its counters, that of a
 * group in `buckets`: were they lost with the process, each restart would let as many go at once as
 * the limit has tokens. A missing bucket is full; one that is full again is dropped in passing.
 */
import type { QueueRef, RateLimit } from '../../core/driver.ts';
import {
  isFullAgain,
  isSameRate,
  refilled,
  spent,
  type TokenBucket,
  waitFor,
} from '../../core/token-bucket.ts';
import { get32, get48, put32, put48, textKey } from './keys.ts';
import type { QueueState } from './queue-state.ts';
import type { LmdbStore } from './store.ts';
import { read } from './tables.ts';

/** The rate limits of one take. What it spends is stored by `finish`. */
export class Rates {
  readonly #store: LmdbStore;
  readonly #queue: QueueState;
  readonly #ref: QueueRef;
  readonly #now: number;
  /** By group, null for the queue itself: what this take has looked at. */
  readonly #buckets = new Map<string | null, TokenBucket>();
  readonly #changed = new Set<string | null>();

  constructor(store: LmdbStore, queue: QueueState, ref: QueueRef, now: number) {
    this.#store = store;
    this.#queue = queue;
    this.#ref = ref;
    this.#now = now;
  }

  /** @returns milliseconds until the queue's limit lets one more go */
  queueWait(): number {
    const { rateLimit } = this.#ref;
    return rateLimit === null ? 0 : waitFor(this.#bucket(null, rateLimit));
  }

  /** @returns milliseconds until the group's limit lets one more go */
  groupWait(groupId: string): number {
    const { groupRateLimit } = this.#ref;
    return groupRateLimit === null ? 0 : waitFor(this.#bucket(groupId, groupRateLimit));
  }

  /** One more goes; both limits must let it. */
  spend(groupId: string | null): void {
    const { rateLimit, groupRateLimit } = this.#ref;
    if (rateLimit !== null) this.#set(null, spent(this.#bucket(null, rateLimit)));
    if (groupRateLimit === null || groupId === null) return;
    this.#set(groupId, spent(this.#bucket(groupId, groupRateLimit)));
  }

  finish(): void {
    const { tables } = this.#store;
    for (const groupId of this.#changed) {
      const bucket = this.#buckets.get(groupId)!;
      if (groupId === null) {
        this.#store.touch(this.#queue);
        this.#queue.counters.bucket = bucket;
      } else tables.buckets.putSync(textKey(this.#queue.number, groupId), encodeBucket(bucket));
    }
    // Twice as many as may have come: what is full again does not pile up.
    if (this.#ref.groupRateLimit !== null) {
      forgetBuckets(this.#store, this.#now, 2 * this.#changed.size);
    }
  }

  #bucket(key: string | null, limit: RateLimit): TokenBucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    const stored = this.#stored(key);
    const bucket = refilled(stored, limit, this.#now);
    this.#buckets.set(key, bucket);
    // From now on this limit fills it.
    if (stored !== undefined && !isSameRate(stored.limit, limit)) this.#changed.add(key);
    return bucket;
  }

  #set(key: string | null, bucket: TokenBucket): void {
    this.#buckets.set(key, bucket);
    this.#changed.add(key);
  }

  #stored(key: string | null): TokenBucket | undefined {
    if (key === null) return this.#queue.counters.bucket ?? undefined;
    const value = read(this.#store.tables.buckets, textKey(this.#queue.number, key));
    return value && decodeBucket(value);
  }
}

/** Drops buckets that are full again, going on where the last call ended. */
function forgetBuckets(store: LmdbStore, now: number, max: number): void {
  const { buckets } = store.tables;
  const full: Uint8Array[] = [];
  let last: Uint8Array | undefined;
  let seen = 0;
  const start = store.bucketsSeen ?? Uint8Array.of(0);
  for (const { key, value } of buckets.getRange({ start, limit: max, snapshot: false })) {
    seen += 1;
    last = key;
    if (isFullAgain(decodeBucket(value), now)) full.push(key);
  }
  store.bucketsSeen = seen < max ? undefined : last;
  for (const key of full) buckets.removeSync(key);
}

/** level u48, at u48, max u32, per u32 */
function encodeBucket({ level, at, limit }: TokenBucket): Uint8Array {
  const value = Buffer.allocUnsafe(20);
  put48(value, level, 0);
  put48(value, at, 6);
  put32(value, limit.max, 12);
  put32(value, limit.per, 16);
  return value;
}

function decodeBucket(value: Uint8Array): TokenBucket {
  const limit = { max: get32(value, 12), per: get32(value, 16) };
  return { level: get48(value, 0), at: get48(value, 6), limit };
}
