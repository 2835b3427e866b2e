/**
 * Mixed load on a broker with random faults: killed and started again, stopped for a while, its
 * connections cut. Its memory must stay flat, and nothing may be lost.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../wherry/test/servers/free-port.ts';
import { startProxy } from '../../../wherry/test/servers/tcp-proxy.ts';
import { ChildBroker } from '../brokers/child-broker.ts';
import { Ledger } from './ledger.ts';
import { call, consume, produce, QUEUE, type Work, workRemotely } from './load.ts';

export interface SoakOptions {
  /** Of the store. */
  readonly folder: string;
  /** Milliseconds of load. */
  readonly duration: number;
  /** Milliseconds from one fault to the next, on average. */
  readonly faultEvery: number;
  /** Milliseconds: what a killed process held comes back after so long. */
  readonly leaseDuration: number;
  /** 0 to 1, again and again. */
  readonly random: () => number;
  readonly onProgress?: (line: string) => void;
}

export interface SoakReport {
  readonly confirmed: number;
  readonly deliveries: number;
  readonly acknowledged: number;
  readonly inDoubt: number;
  readonly lost: readonly number[];
  readonly violations: readonly string[];
  readonly faults: Readonly<Record<FaultName, number>>;
  /** Megabytes of the broker's memory over the life of its longest-lived process, in time. */
  readonly memory: readonly number[];
}

type FaultName = 'kill' | 'pause' | 'cut';

const PRODUCERS = 3;
const CONSUMERS = 3;
const PAUSE_MS = 20;
const SAMPLE_MS = 1_000;
const DRAIN_MS = 60_000;

/** @throws Error when the broker does not start again, or does not become empty */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { folder, duration, leaseDuration, random } = options;
  const port = await freePort();
  const system = new System(folder, port);
  await system.start();
  const proxy = await startProxy(port);
  const ledger = new Ledger();
  const [sending, receiving] = [new AbortController(), new AbortController()];
  const direct = `http://127.0.0.1:${port}`;
  const common = { ledger, random, leaseDuration, pause: PAUSE_MS };
  const work = (url: string): Work => ({
    ...common,
    url,
    sending: sending.signal,
    receiving: receiving.signal,
  });
  const faults = { kill: 0, pause: 0, cut: 0 };
  try {
    const settings = { backoff: 100, maxRetries: 1_000_000 };
    await call(direct, `/api/v1/queues/${QUEUE}`, settings, { method: 'PUT' });
    const through = `http://127.0.0.1:${proxy.port}`;
    const lanes = [
      ...Array.from({ length: PRODUCERS }, (_, i) => produce(work(i === 0 ? through : direct))),
      ...Array.from({ length: CONSUMERS }, (_, i) => consume(work(i === 0 ? through : direct))),
      workRemotely(work(through)),
    ];
    const end = performance.now() + duration;
    const strike: Record<FaultName, () => Promise<void>> = {
      kill: () => system.replace(),
      pause: () => system.pause(Math.floor(random() * 2_000)),
      cut: async () => proxy.cut(),
    };
    const names = Object.keys(strike) as FaultName[];
    while (performance.now() < end) {
      await sleep(options.faultEvery * (0.5 + random()));
      // In the second half the process lives on, for its memory is to be watched.
      const mayKill = performance.now() < end - duration / 2;
      const name = mayKill && random() < 0.2 ? 'kill' : names[1 + Math.floor(random() * 2)]!;
      await strike[name]();
      faults[name] += 1;
      options.onProgress?.(
        `${ledger.confirmed} confirmed, ${ledger.acknowledged} acknowledged, ${name}, ` +
          `${system.memory.at(-1)} MB`,
      );
    }
    if (faults.kill === 0) {
      await system.replace();
      faults.kill += 1;
    }
    sending.abort();
    await empty(direct);
    receiving.abort();
    await Promise.all(lanes);
  } finally {
    sending.abort();
    receiving.abort();
    await proxy.stop();
    await system.stop();
  }
  const { confirmed, deliveries, acknowledged, inDoubt, violations } = ledger;
  const memory = system.longestMemory;
  const lost = ledger.lost();
  return { confirmed, deliveries, acknowledged, inDoubt, lost, violations, faults, memory };
}

async function empty(url: string): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  for (;;) {
    const info = await call<{ messageCount: number }>(url, `/api/v1/queues/${QUEUE}`, undefined, {
      method: 'GET',
    }).catch(() => null);
    if (info?.messageCount === 0) return;
    if (performance.now() > deadline) {
      throw new Error(`${info?.messageCount} messages are left after ${DRAIN_MS} ms.`);
    }
    await sleep(100);
  }
}

/** The broker's processes, one after the other. */
class System {
  readonly #folder: string;
  readonly #port: number;
  #broker: ChildBroker | null = null;
  readonly #sampler: NodeJS.Timeout;
  /** Of the present process. */
  memory: number[] = [];
  longestMemory: readonly number[] = [];

  constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    this.#sampler = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  async start(): Promise<void> {
    this.memory = [];
    this.#broker = await ChildBroker.start(this.#folder, this.#port);
    this.#sample();
  }

  async replace(): Promise<void> {
    await this.#broker!.kill();
    this.#keep();
    await this.start();
  }

  async pause(ms: number): Promise<void> {
    process.kill(this.#broker!.pid, 'SIGSTOP');
    await sleep(ms);
    process.kill(this.#broker!.pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    clearInterval(this.#sampler);
    this.#keep();
    await this.#broker?.[Symbol.asyncDispose]();
  }

  #sample(): void {
    try {
      const status = readFileSync(`/proc/${this.#broker!.pid}/status`, 'utf8');
      // Anonymous memory: pages of the store's file are the kernel's to keep or drop.
      const kilobytes = Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? NaN);
      if (kilobytes > 0) this.memory.push(Math.round(kilobytes / 1_024));
    } catch {
      // It is being replaced.
    }
  }

  #keep(): void {
    if (this.memory.length > this.longestMemory.length) this.longestMemory = this.memory;
  }
}
