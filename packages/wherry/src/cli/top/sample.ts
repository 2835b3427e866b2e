import type { QueueCounts } from '../../core/driver.ts';
import { browseAll } from '../../core/transfer/places.ts';
import type { Side } from '../../core/transfer/side.ts';

/** A queue at one moment. Rates are null at the first look: nothing is known to compare with. */
export interface QueueRow {
  readonly name: string;
  readonly paused: boolean;
  readonly ready: number;
  readonly scheduled: number;
  readonly leased: number;
  readonly bytes: number;
  /** Milliseconds. */
  readonly oldestAge: number | null;
  /** Messages stored per second, by all processes. */
  readonly inRate: number | null;
  /** Messages that left per second. */
  readonly outRate: number | null;
  /** By how many messages a second the queue grows. */
  readonly growth: number | null;
  /** Who holds messages now. */
  readonly consumers: number;
}

/** All queues at one moment. */
export interface Sample {
  /** Milliseconds since 1970, by the store's clock. */
  readonly time: number;
  readonly queues: readonly QueueRow[];
}

interface Seen {
  readonly time: number;
  readonly counts: QueueCounts;
}

/** More leases than these are not looked at for their holders. */
const LEASES_MAX = 1_000;

/** Looks at the queues of a store again and again. */
export class Sampler {
  readonly #side: Side;
  readonly #names: readonly string[] | undefined;
  #seen = new Map<string, Seen>();

  /** @param names only these queues; left out: all there are, also those that come later */
  constructor(side: Side, names?: readonly string[]) {
    this.#side = side;
    this.#names = names;
  }

  /** @throws QueueNotFoundError, StorageError */
  async look(): Promise<Sample> {
    const { driver, topology } = this.#side;
    const time = await driver.now();
    const queues = this.#names?.map((name) => topology.queue(name)) ?? topology.queues();
    const seen = new Map<string, Seen>();
    const rows = queues.map(async ({ name, settings }): Promise<QueueRow> => {
      const counts = await driver.counts(topology.ref(name));
      seen.set(name, { time, counts });
      const { ready, scheduled, leased, bytes, oldestTimestamp } = counts;
      return {
        name,
        paused: settings.paused,
        ready,
        scheduled,
        leased,
        bytes,
        oldestAge: oldestTimestamp === null ? null : Math.max(0, time - oldestTimestamp),
        ...ratesOf(this.#seen.get(name), { time, counts }),
        consumers: leased === 0 ? 0 : await this.#countHolders(name),
      };
    });
    const sample = { time, queues: await Promise.all(rows) };
    this.#seen = seen;
    return sample;
  }

  async #countHolders(name: string): Promise<number> {
    const { driver, topology } = this.#side;
    const holders = new Set<string>();
    let leases = 0;
    for await (const page of browseAll(driver, topology.ref(name), 'leased')) {
      for (const { lease } of page) if (lease !== null) holders.add(lease.consumerId);
      leases += page.length;
      if (leases >= LEASES_MAX) break;
    }
    return holders.size;
  }
}

function ratesOf(
  before: Seen | undefined,
  now: Seen,
): Pick<QueueRow, 'inRate' | 'outRate' | 'growth'> {
  const seconds = before === undefined ? 0 : (now.time - before.time) / 1_000;
  if (before === undefined || seconds <= 0) return { inRate: null, outRate: null, growth: null };
  const growth = (sizeOf(now.counts) - sizeOf(before.counts)) / seconds;
  const inRate = (now.counts.arrived - before.counts.arrived) / seconds;
  return { inRate, outRate: Math.max(0, inRate - growth), growth };
}

function sizeOf({ ready, scheduled, leased }: QueueCounts): number {
  return ready + scheduled + leased;
}
