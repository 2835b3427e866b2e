import type { Delivery, MessageQueueSystem, QueueInfo } from 'wherry';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { SeriesLimit } from './series-limit.ts';

export interface MetricsParts {
  readonly version: string;
  readonly vhosts: {
    find(name: string): MessageQueueSystem | undefined;
    names(): string[];
  };
  /** Queues with series of their own, over all virtual hosts; the rest is added up. */
  readonly queuesMax: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Counted per queue by the library, and what Prometheus' users call it. */
const COUNTERS = {
  enqueued: ['enqueued', 'Messages stored'],
  delivered: ['delivered', 'Messages handed to consumers, redeliveries included'],
  acknowledged: ['acknowledged', 'Messages acknowledged'],
  retried: ['retried', 'Messages that failed and will be tried again'],
  deadLettered: ['dead_lettered', 'Messages moved to a dead-letter queue'],
  expired: ['expired', 'Messages whose time to live passed'],
  dropped: ['dropped', 'Messages put out by drop-oldest'],
  leaseLost: ['lease_lost', 'Leases that ended before their message was settled'],
} as const satisfies Partial<Record<keyof QueueInfo['counters'], readonly [string, string]>>;

/** From a millisecond to the longest that a receive may wait. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** How old the numbers of queues may be. */
const LOOK_AGAIN_MS = 1_000;

/** Queues that are read together at a scrape. */
const AT_ONCE = 64;

/** One series of a queue, or of the queues beyond the limit together. */
interface Row {
  readonly labels: { readonly vhost: string; readonly queue: string };
  readonly info: Pick<
    QueueInfo,
    | 'ready'
    | 'scheduled'
    | 'leased'
    | 'bytes'
    | 'arrived'
    | 'oldestAge'
    | 'consumerCount'
    | 'counters'
  >;
}

/**
 * What `/metrics` shows. Depths and counters are read from the store and from the library at the
 * scrape, so they are exact; only what happens at the edge is counted here.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #parts: MetricsParts;
  readonly #series: SeriesLimit;
  readonly #requests: Histogram<'method' | 'route' | 'status'>;
  readonly #waits: Histogram;
  readonly #storeErrors: Counter<'code'>;
  /** Of the last look, and when that was. */
  #looked: { readonly at: number; readonly rows: readonly Row[] } | null = null;
  /** What the page shows that is being made: one at a time. */
  #rows: readonly Row[] = [];
  #page: Promise<unknown> = Promise.resolve();

  constructor(parts: MetricsParts) {
    this.#parts = parts;
    this.#series = new SeriesLimit(parts.queuesMax);
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#defineQueues();
    this.#requests = new Histogram({
      name: 'wherry_http_request_duration_seconds',
      help: 'Time from the request to the end of its answer, long polls included',
      labelNames: ['method', 'route', 'status'],
      buckets: SECONDS,
      registers,
    });
    this.#waits = new Histogram({
      name: 'wherry_message_wait_seconds',
      help: 'Time from when a message could be delivered to its first delivery by HTTP',
      buckets: SECONDS,
      registers,
    });
    this.#storeErrors = new Counter({
      name: 'wherry_store_errors_total',
      help: 'Calls to the store that failed, by the code of the error',
      labelNames: ['code'],
      registers,
    });
    const build = new Gauge({
      name: 'wherry_build_info',
      help: 'Always 1; the labels say which version runs',
      labelNames: ['version', 'node'],
      registers,
    });
    build.set({ version: parts.version, node: process.version }, 1);
  }

  /** The media type of `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /**
   * @param maySee says of which virtual hosts the queues are shown
   * @returns the metrics in Prometheus' text format
   */
  text(maySee: (vhost: string) => boolean): Promise<string> {
    const page = this.#page.then(async () => {
      const rows = await this.#look();
      this.#rows = rows.filter(({ labels }) => maySee(labels.vhost));
      return this.#registry.metrics();
    });
    this.#page = page.catch(() => {});
    return page;
  }

  /** @param route the template, never the path itself: its values would be labels without number */
  observeRequest(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status: `${Math.floor(status / 100)}xx` }, seconds);
  }

  /** Measures how long messages that are delivered for the first time have been ready. */
  observeDelivered(
    deliveries: readonly Pick<Delivery, 'timestamp' | 'availableAt' | 'deliveryCount'>[],
  ): void {
    for (const { timestamp, availableAt, deliveryCount } of deliveries) {
      if (deliveryCount > 1) continue;
      const ms = this.#parts.now() - Math.max(timestamp, availableAt);
      this.#waits.observe(Math.max(0, ms) / 1_000);
    }
  }

  countStoreError(code: string): void {
    this.#storeErrors.inc({ code });
  }

  /** Shows a number that somebody else keeps. @param name without `wherry_` */
  watch(name: string, help: string, read: () => number): void {
    this.#gauge(name, help, [], (gauge) => gauge.set(read()));
  }

  /** The same for several that differ by one label. */
  watchEach(
    name: string,
    help: string,
    label: string,
    read: () => Iterable<readonly [value: string, number: number]>,
  ): void {
    this.#gauge(name, help, [label], (gauge) => {
      for (const [value, number] of read()) gauge.set({ [label]: value }, number);
    });
  }

  /** Shows a number that somebody else keeps, and that only grows. @param name without `wherry_` */
  watchCount(name: string, help: string, read: () => number): void {
    const counter: Counter = new Counter({
      name: `wherry_${name}`,
      help,
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }

  #defineQueues(): void {
    const labels = ['vhost', 'queue'] as const;
    const each = (read: (row: Row) => number) => (gauge: Gauge<(typeof labels)[number]>) => {
      for (const row of this.#rows) gauge.set(row.labels, read(row));
    };
    this.#gauge(
      'queue_messages',
      'Messages in a queue, by state: exact at the scrape',
      [...labels, 'state'],
      (gauge) => {
        for (const { labels: of, info } of this.#rows) {
          for (const state of ['ready', 'scheduled', 'leased'] as const) {
            gauge.set({ ...of, state }, info[state]);
          }
        }
      },
    );
    this.#gauge(
      'queue_bytes',
      'Bytes of the messages in a queue',
      labels,
      each((row) => row.info.bytes),
    );
    this.#gauge(
      'queue_oldest_message_age_seconds',
      'How long the longest-waiting ready message has been stored; 0 when none is ready',
      labels,
      each((row) => (row.info.oldestAge ?? 0) / 1_000),
    );
    this.#gauge(
      'queue_consumers',
      'Who receives from a queue over HTTP from this broker',
      labels,
      each((row) => row.info.consumerCount),
    );
    this.#counter(
      'queue_messages_arrived_total',
      'Messages that came to a queue since it was made, through all brokers on the store',
      (row) => row.info.arrived,
    );
    for (const [counted, [word, help]] of Object.entries(COUNTERS)) {
      const name = counted as keyof typeof COUNTERS;
      this.#counter(
        `messages_${word}_total`,
        `${help}, by this broker`,
        (row) => row.info.counters[name],
      );
    }
    this.#gauge(
      'queues_without_series',
      'Queues beyond limits.metricQueues: they are added up under queue=""',
      [],
      (gauge) => gauge.set(this.#series.beyond),
    );
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    fill: (gauge: Gauge<Label>) => void,
  ): void {
    const gauge: Gauge<Label> = new Gauge({
      name: `wherry_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      collect: () => {
        // What is gone since the last scrape has no series any more.
        gauge.reset();
        fill(gauge);
      },
    });
  }

  #counter(name: string, help: string, read: (row: Row) => number): void {
    const counter: Counter<'vhost' | 'queue'> = new Counter({
      name: `wherry_${name}`,
      help,
      labelNames: ['vhost', 'queue'],
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        for (const row of this.#rows) counter.inc(row.labels, read(row));
      },
    });
  }

  async #look(): Promise<readonly Row[]> {
    // Many who ask at once must not become many looks at all queues.
    const at = this.#parts.now();
    if (this.#looked !== null && at - this.#looked.at < LOOK_AGAIN_MS) return this.#looked.rows;
    try {
      const rows = await this.#readQueues();
      this.#looked = { at, rows };
      return rows;
    } catch (error) {
      // The store does not answer: what concerns it is left out, the rest is all the more wanted.
      this.countStoreError(codeOf(error));
      return [];
    }
  }

  async #readQueues(): Promise<Row[]> {
    const rows: Row[] = [];
    const { vhosts } = this.#parts;
    this.#series.begin();
    for (const vhost of vhosts.names()) {
      const mq = vhosts.find(vhost);
      if (mq === undefined) continue;
      const names = mq.listQueues().map(({ name }) => name);
      const rest: Row['info'][] = [];
      for (let i = 0; i < names.length; i += AT_ONCE) {
        const part = names.slice(i, i + AT_ONCE);
        const infos = await Promise.all(part.map((name) => infoOrNull(mq, name)));
        for (const info of infos) {
          if (info === null) continue;
          if (!this.#series.admit(vhost, info.name)) rest.push(info);
          else rows.push({ labels: { vhost, queue: info.name }, info });
        }
      }
      if (rest.length > 0) rows.push({ labels: { vhost, queue: '' }, info: addUp(rest) });
    }
    this.#series.end();
    return rows;
  }
}

/** A queue may be deleted between the list and the look. */
async function infoOrNull(mq: MessageQueueSystem, name: string): Promise<QueueInfo | null> {
  try {
    return await mq.getQueueInfo(name);
  } catch (error) {
    if (codeOf(error) === 'QUEUE_NOT_FOUND') return null;
    throw error;
  }
}

function addUp(infos: readonly Row['info'][]): Row['info'] {
  const add = (read: (info: Row['info']) => number): number =>
    infos.reduce((sum, info) => sum + read(info), 0);
  const ages = infos.map(({ oldestAge }) => oldestAge ?? 0);
  const names = Object.keys(infos[0]!.counters) as (keyof QueueInfo['counters'])[];
  const counters = names.map((name) => [name, add((info) => info.counters[name])]);
  return {
    ready: add(({ ready }) => ready),
    scheduled: add(({ scheduled }) => scheduled),
    leased: add(({ leased }) => leased),
    bytes: add(({ bytes }) => bytes),
    arrived: add(({ arrived }) => arrived),
    oldestAge: Math.max(...ages),
    consumerCount: add(({ consumerCount }) => consumerCount),
    counters: Object.fromEntries(counters) as QueueInfo['counters'],
  };
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : 'INTERNAL';
}
