import type { MessageQueueSystem } from 'wherry';
import { type Look, Ring, type SeriesName } from './ring.ts';

/** How far back a chart goes. */
export type HistoryRange = 'minutes' | 'hours' | 'day';

const RESOLUTIONS: Readonly<
  Record<HistoryRange, { readonly step: number; readonly size: number }>
> = {
  minutes: { step: 5_000, size: 120 },
  hours: { step: 60_000, size: 180 },
  day: { step: 600_000, size: 144 },
};

export const HISTORY_RANGES = Object.keys(RESOLUTIONS) as readonly HistoryRange[] as [
  HistoryRange,
  ...HistoryRange[],
];

/** A chart: `series.ready[i]` was at `from + i * step`. Null: nobody looked. */
export interface Chart {
  /** Milliseconds. */
  readonly step: number;
  /** Milliseconds since 1970. */
  readonly from: number;
  /** Numbers of messages at the end of each step; `oldestAge` and waits in milliseconds; rates per second. */
  readonly series: Readonly<Record<SeriesName, readonly (number | null)[]>>;
}

export interface HistoryParts {
  readonly vhosts: {
    find(name: string): MessageQueueSystem | undefined;
    names(): string[];
  };
  /** Queues that have a chart, over all virtual hosts: the first so many. */
  readonly queuesMax: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Told of a look that failed. */
  readonly failed: (error: unknown) => void;
}

type Rings = Readonly<Record<HistoryRange, Ring>>;

/** What is kept of one virtual host. */
class Kept {
  readonly total: Rings = makeRings();
  readonly queues = new Map<string, Rings>();
  /** Of each queue at the last look; null before the first. */
  #arrivedBefore: ReadonlyMap<string, number> | null = null;
  #arrived = 0;

  /** Adds up what came to each queue by itself: one that is deleted takes nothing out of the sum. */
  addTotal(at: number, looks: ReadonlyMap<string, Look>): void {
    const total = { ready: 0, scheduled: 0, leased: 0 };
    let oldestAge: number | null = null;
    let waits: Float64Array | null = null;
    for (const [name, look] of looks) {
      total.ready += look.ready;
      total.scheduled += look.scheduled;
      total.leased += look.leased;
      waits = sumOf(waits, look.waits);
      if (look.oldestAge !== null) oldestAge = Math.max(oldestAge ?? 0, look.oldestAge);
      const before = this.#arrivedBefore === null ? look.arrived : this.#arrivedBefore.get(name);
      const isSame = before !== undefined && look.arrived >= before;
      this.#arrived += look.arrived - (isSame ? before : 0);
    }
    this.#arrivedBefore = new Map([...looks].map(([name, { arrived }]) => [name, arrived]));
    add(this.total, at, { ...total, oldestAge, waits, arrived: this.#arrived });
  }
}

/** Queues that are looked at together: more would only wait for each other. */
const AT_ONCE = 64;

/**
 * Looks at every queue every five seconds and keeps what charts need, in memory of a fixed size.
 * What came and went is told by the store's own counters, so it is that of all brokers on it.
 */
export class History {
  readonly #parts: HistoryParts;
  readonly #kept = new Map<string, Kept>();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;

  constructor(parts: HistoryParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), RESOLUTIONS.minutes.step);
    this.#timer.unref();
    void this.look();
  }

  /** No look is on its way when it resolves. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#looking;
  }

  /** Looks now; a look that is on its way is waited for instead. */
  look(): Promise<void> {
    this.#looking ??= this.#lookAtAll()
      .catch(this.#parts.failed)
      .finally(() => (this.#looking = null));
    return this.#looking;
  }

  /** @returns the queue's chart, or null when it has none yet */
  read(vhost: string, queue: string, range: HistoryRange): Chart | null {
    const rings = this.#kept.get(vhost)?.queues.get(queue);
    return rings?.[range].read(this.#parts.now()) ?? null;
  }

  /** @returns the chart of all queues of a virtual host together, or null when there is none yet */
  readTotal(vhost: string, range: HistoryRange): Chart | null {
    return this.#kept.get(vhost)?.total[range].read(this.#parts.now()) ?? null;
  }

  /** Queues that have a chart. */
  get size(): number {
    return [...this.#kept.values()].reduce((sum, { queues }) => sum + queues.size, 0);
  }

  async #lookAtAll(): Promise<void> {
    const { vhosts } = this.#parts;
    const names = vhosts.names();
    for (const vhost of this.#kept.keys()) {
      if (!names.includes(vhost)) this.#kept.delete(vhost);
    }
    for (const name of names) {
      const mq = vhosts.find(name);
      if (mq !== undefined) await this.#lookAt(name, mq);
    }
  }

  async #lookAt(vhost: string, mq: MessageQueueSystem): Promise<void> {
    const kept = this.#kept.get(vhost) ?? new Kept();
    this.#kept.set(vhost, kept);
    const names = mq.listQueues().map(({ name }) => name);
    const present = new Set(names);
    for (const name of kept.queues.keys()) {
      if (!present.has(name)) kept.queues.delete(name);
    }
    for (const name of names) {
      if (kept.queues.has(name)) continue;
      if (this.size >= this.#parts.queuesMax) break;
      kept.queues.set(name, makeRings());
    }
    const looks = new Map<string, Look>();
    const tracked = [...kept.queues];
    for (let i = 0; i < tracked.length; i += AT_ONCE) {
      const part = tracked.slice(i, i + AT_ONCE);
      await Promise.all(
        part.map(async ([name, rings]) => {
          const info = await lookOrNull(mq, name);
          if (info === null) return;
          add(rings, this.#parts.now(), info);
          looks.set(name, info);
        }),
      );
    }
    kept.addTotal(this.#parts.now(), looks);
  }
}

/** A queue may be deleted between the list and the look. */
async function lookOrNull(mq: MessageQueueSystem, name: string): Promise<Look | null> {
  try {
    const info = await mq.getQueueInfo(name);
    return { ...info, waits: mq.queueManager.waits(name) };
  } catch (error) {
    if ((error as { code?: unknown }).code === 'QUEUE_NOT_FOUND') return null;
    throw error;
  }
}

function sumOf(a: Float64Array | null, b: Float64Array | null): Float64Array | null {
  if (a === null || b === null) return a ?? b;
  return a.map((count, i) => count + b[i]!);
}

function makeRings(): Rings {
  const rings = Object.entries(RESOLUTIONS).map(([range, { step, size }]) => [
    range,
    new Ring(step, size),
  ]);
  return Object.fromEntries(rings) as Rings;
}

function add(rings: Rings, at: number, look: Look): void {
  for (const ring of Object.values(rings)) ring.add(at, look);
}
