import type { TokenBucket } from '../../core/token-bucket.ts';
import { decodeChecked, encodeChecked } from './checked-json.ts';
import { GROUP, MAIN, SCHEDULED, type Space } from './item.ts';

/** What a queue holds. Leased messages count where their records are. */
export class Counters {
  nextSequence = 1;
  /** Records in `messages`, by priority. */
  readonly main: Map<number, number> = new Map();
  mainTotal = 0;
  scheduled = 0;
  /** Records in `groups`. */
  waiting = 0;
  bytes = 0;
  /** The latest time at which something was stored: time never goes back behind it (G14). */
  lastTime = 0;
  /** The `groupMaxInFlight` of the last take. A sweep, which is told none, goes by it. */
  slots = 1;
  /** What its rate limit has let go lately; null: nothing. */
  bucket: TokenBucket | null = null;

  get total(): number {
    return this.mainTotal + this.scheduled + this.waiting;
  }

  /** @param by 1 or -1 */
  count(space: Space, priority: number, by: number): void {
    if (space === MAIN) {
      const left = (this.main.get(priority) ?? 0) + by;
      if (left === 0) this.main.delete(priority);
      else this.main.set(priority, left);
      this.mainTotal += by;
    } else if (space === SCHEDULED) this.scheduled += by;
    else if (space === GROUP) this.waiting += by;
  }

  copy(): Counters {
    return Object.assign(new Counters(), this, { main: new Map(this.main) });
  }

  /** Becomes what `copy` returned before. */
  restore(from: Counters): void {
    this.main.clear();
    for (const [priority, count] of from.main) this.main.set(priority, count);
    this.nextSequence = from.nextSequence;
    this.mainTotal = from.mainTotal;
    this.scheduled = from.scheduled;
    this.waiting = from.waiting;
    this.bytes = from.bytes;
    this.lastTime = from.lastTime;
    this.slots = from.slots;
    this.bucket = from.bucket;
  }

  encode(name: string): Uint8Array {
    return encodeChecked({
      name,
      next: this.nextSequence,
      main: [...this.main],
      scheduled: this.scheduled,
      waiting: this.waiting,
      bytes: this.bytes,
      time: this.lastTime,
      ...(this.slots !== 1 && { slots: this.slots }),
      ...(this.bucket !== null && { bucket: this.bucket }),
    });
  }

  /** @returns undefined when the bytes are damaged */
  static decode(bytes: Uint8Array): { name: string; counters: Counters } | undefined {
    const stored = decodeChecked(bytes) as StoredCounters | undefined;
    if (stored === undefined) return undefined;
    const counters = new Counters();
    for (const [priority, count] of stored.main) {
      counters.main.set(priority, count);
      counters.mainTotal += count;
    }
    counters.nextSequence = stored.next;
    counters.scheduled = stored.scheduled;
    counters.waiting = stored.waiting;
    counters.bytes = stored.bytes;
    counters.lastTime = stored.time;
    counters.slots = stored.slots ?? 1;
    counters.bucket = stored.bucket ?? null;
    return { name: stored.name, counters };
  }
}

interface StoredCounters {
  readonly name: string;
  readonly next: number;
  readonly main: readonly [number, number][];
  readonly scheduled: number;
  readonly waiting: number;
  readonly bytes: number;
  readonly time: number;
  readonly slots?: number;
  readonly bucket?: TokenBucket;
}
