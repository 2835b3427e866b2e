import type { RateLimit } from './driver.ts';

/** How full a rate limit's bucket was when it was last changed, and the limit that fills it. */
export interface TokenBucket {
  /** In units of which a token takes `limit.per`. */
  readonly level: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly limit: RateLimit;
}

/**
 * A bucket as it is now, for the limit that holds now: until now the one before has filled it. What
 * is full is full under any limit, so that nobody can tell whether a full bucket was forgotten.
 * @param bucket undefined: a full one
 */
export function refilled(
  bucket: TokenBucket | undefined,
  limit: RateLimit,
  now: number,
): TokenBucket {
  const full = limit.max * limit.per;
  if (bucket === undefined) return { level: full, at: now, limit };
  const { max, per } = bucket.limit;
  // A clock that went back fills nothing.
  const level = bucket.level + Math.max(0, now - bucket.at) * max;
  const at = Math.max(now, bucket.at);
  if (level >= max * per) return { level: full, at, limit };
  // Tokens are kept when their size changes.
  const converted = per === limit.per ? level : Math.floor(level / per) * limit.per;
  return { level: Math.min(converted, full), at, limit };
}

/** @returns milliseconds until the bucket has a token */
export function waitFor({ level, limit: { max, per } }: TokenBucket): number {
  return level >= per ? 0 : Math.ceil((per - level) / max);
}

/** Takes one token, which must be there. */
export function spent(bucket: TokenBucket): TokenBucket {
  return { ...bucket, level: bucket.level - bucket.limit.per };
}

/** @returns whether it has been full again for sure, because nothing was taken for as long as it takes */
export function isFullAgain({ at, limit }: TokenBucket, now: number): boolean {
  return at + limit.per <= now;
}

export function isSameRate(a: RateLimit | null, b: RateLimit | null): boolean {
  return a?.max === b?.max && a?.per === b?.per;
}
