import { LoginThrottledError } from './errors.ts';

export interface ThrottleOptions {
  /** Most failed logins of one name from one address in a minute. */
  readonly perMinute: number;
  readonly now: () => number;
}

interface Bucket {
  /** Failures that are counted now. */
  level: number;
  /** When `level` was right, in milliseconds. */
  at: number;
}

/** Most names and addresses remembered. */
export const THROTTLE_KEYS_MAX = 10_000;

/**
 * One address may try several names, one name may be tried from several addresses: each has a
 * limit too, so many times that of the pair. That of a name is high, or anybody could lock out its owner.
 */
const ADDRESS_FACTOR = 3;
const NAME_FACTOR = 10;

/** Slows down who guesses passwords. Failures count; a success takes its own back. */
export class LoginThrottle {
  readonly #perMinute: number;
  readonly #now: () => number;
  /** The one that was used last is the last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor({ perMinute, now }: ThrottleOptions) {
    this.#perMinute = perMinute;
    this.#now = now;
  }

  /**
   * Counts a try as failed, before its outcome is known: many at once are then no way around it.
   * @returns to be called when it was none
   * @throws LoginThrottledError
   */
  begin(name: string, address: string): () => void {
    const network = networkOf(address);
    const limits = [
      // JSON keeps the two apart, whatever is in the name.
      [JSON.stringify([name, network]), this.#perMinute],
      [JSON.stringify([null, network]), this.#perMinute * ADDRESS_FACTOR],
      [JSON.stringify([name]), this.#perMinute * NAME_FACTOR],
    ] as const;
    const now = this.#now();
    const buckets = limits.map(([key, limit]) => ({
      key,
      limit,
      ...this.#present(key, limit, now),
    }));
    const waits = buckets.map(({ level, limit }) => ((level + 1 - limit) * 60) / limit);
    const seconds = Math.ceil(Math.max(...waits));
    if (seconds > 0) throw new LoginThrottledError(seconds);
    for (const { key, level } of buckets) this.#remember(key, { level: level + 1, at: now });
    return () => {
      for (const { key } of buckets) {
        const bucket = this.#buckets.get(key);
        if (bucket !== undefined) bucket.level = Math.max(0, bucket.level - 1);
      }
    };
  }

  /** A bucket that leaks `limit` failures a minute, as it is now. */
  #present(key: string, limit: number, now: number): Bucket {
    const { level, at } = this.#buckets.get(key) ?? { level: 0, at: now };
    // A clock that was set back must not let anybody in.
    const leaked = (Math.max(0, now - at) * limit) / 60_000;
    return { level: Math.max(0, level - leaked), at: now };
  }

  #remember(key: string, bucket: Bucket): void {
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size <= THROTTLE_KEYS_MAX) return;
    const [oldest] = this.#buckets.keys();
    this.#buckets.delete(oldest!);
  }
}

/** An IPv6 customer has 2^64 addresses: they count as one. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::', 2);
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  const groups = [...left, ...(tail === undefined ? [] : zeros), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
