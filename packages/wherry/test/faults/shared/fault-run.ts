/**
 * Several processes work on one store, each with producers and consumers of all kinds, while
 * things are done to the servers, the network and the processes. Then everything is drained and the
 * history checked, as after the kills of `test/crash`.
 */
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkHistory, type Verdict } from '../../crash/checker.ts';
import { type HistoryEvent, monotonicNow, type Opened, SUPERVISOR } from '../../crash/history.ts';
import { makePlan } from '../../crash/plan.ts';
import { History, Worker } from '../../crash/supervisor.ts';
import type { WorkOrder } from '../../crash/work-order.ts';
import { poll } from '../../servers/server-process.ts';

/** Something that is done to a running system; it resolves when its cause is gone. */
export interface Fault {
  readonly name: string;
  readonly strike: (system: RunningSystem) => Promise<void>;
  /** Milliseconds within which everybody must be back. */
  readonly within?: number;
}

export interface FaultRunOptions {
  readonly seed: number;
  /** The URL of the store for each process: all lead to the same one. */
  readonly stores: readonly string[];
  /** One after the other; each when all had come back from the one before. */
  readonly faults: readonly Fault[];
}

/** What a fault did. */
interface FaultEffect {
  readonly name: string;
  /** Milliseconds from its begin to its end. */
  readonly lasted: number;
  /** Milliseconds until every process had sent and every one had received, from its end on. */
  readonly back: number;
  /** Milliseconds that this may take. */
  readonly within: number;
}

export interface FaultReport extends Verdict {
  readonly effects: readonly FaultEffect[];
  /** Sockets of each process before the first fault and after the last. */
  readonly sockets: readonly (readonly [before: number, after: number])[];
  /** What the processes printed on standard error. */
  readonly complaints: string;
  /** The folder that holds the history; removed when there is nothing to complain about. */
  readonly folder: string;
}

/** Events of each process before the first fault, so that it meets everybody at work. */
const WARM_UP_EVENTS = 150;
/** Of all processes in all, so that there is enough to check, however short the faults are. */
const EVENTS_MIN = 3_000;
/** Between a process that is back and the next fault. */
const CALM_MS = 300;
/** From the end of a fault on. */
const BACK_MS = 60_000;
/** A consumer that takes longer to come back has to be called. */
const WITHIN_MS = 15_000;
const DRAIN_MS = 30_000;
const GRACE_MS = 30_000;

/** A process at work. */
export class RunningWorker {
  readonly number: number;
  readonly #worker: Worker;
  readonly #history: History;
  #opened: Opened | undefined;

  constructor(history: History, order: WorkOrder) {
    this.number = order.process;
    this.#history = history;
    this.#worker = new Worker(history);
    this.#worker.start(order);
  }

  get pid(): number {
    return this.#worker.pid;
  }

  get complaints(): string {
    return this.#worker.errors;
  }

  signal(signal: NodeJS.Signals): void {
    this.#worker.signal(signal);
  }

  /** Connections, to whatever server. */
  get sockets(): number {
    const folder = `/proc/${this.pid}/fd`;
    return readdirSync(folder).filter((fd) => {
      try {
        return readlinkSync(join(folder, fd)).startsWith('socket:');
      } catch {
        return false;
      }
    }).length;
  }

  /** Resolves when the process has done so much since it was asked. */
  async warmUp(): Promise<void> {
    let left = WARM_UP_EVENTS;
    await this.#see((event) => event.op !== 'open' && --left <= 0, BACK_MS, 'to work');
  }

  /**
   * Resolves when a send that was begun after `since` is confirmed, and a consumer that nobody
   * calls has got a message that was leased after it.
   */
  async back(since: number): Promise<void> {
    const calls = new Set<number>();
    let [sent, received] = [false, false];
    await this.#see(
      (event) => {
        if (event.op === 'send' && event.phase === 'invoke' && event.t > since) {
          calls.add(event.call);
        }
        sent ||= event.op === 'send' && event.phase === 'ok' && calls.has(event.call);
        received ||= event.op === 'deliver' && this.#isLeasedAfter(event, since);
        return sent && received;
      },
      BACK_MS,
      () => `to ${[sent ? [] : 'send', received ? [] : 'receive'].flat().join(' and ')} again`,
    );
  }

  async stop(): Promise<void> {
    this.#worker.stop();
    await this.end(GRACE_MS);
  }

  /** @throws Error unless it ends by itself in time, with nothing to complain about */
  async end(patience: number): Promise<void> {
    const timer = setTimeout(() => this.#worker.kill(), patience);
    const { code, signal } = await this.#worker.ended;
    clearTimeout(timer);
    if (code === 0) return;
    throw new Error(`Process ${this.number} ended with ${code ?? signal}:\n${this.complaints}`);
  }

  async kill(): Promise<void> {
    this.#worker.kill();
    await this.#worker.ended;
  }

  #isLeasedAfter(event: Extract<HistoryEvent, { op: 'deliver' }>, since: number): boolean {
    this.#opened ??= this.#history.events.find(
      ({ op, phase, process }) => op === 'open' && phase === 'ok' && process === this.number,
    ) as Opened | undefined;
    const isConsumer = event.consumer.startsWith('handler') || event.consumer.startsWith('batch');
    return isConsumer && event.until - event.leaseDuration - this.#opened!.clockOffset > since;
  }

  async #see(
    isWanted: (event: HistoryEvent) => boolean,
    patience: number,
    what: string | (() => string),
  ): Promise<void> {
    const isOurs = (event: HistoryEvent): boolean =>
      event.process === this.number && isWanted(event);
    const late = sleep(patience, 'late' as const, { ref: false });
    const seen = await Promise.race([this.#worker.see(isOurs), late]);
    if (seen !== null && seen !== 'late') return;
    const missing = typeof what === 'string' ? what : what();
    const how = seen === null ? 'ended before it came' : `did not come within ${patience} ms`;
    throw new Error(`Process ${this.number} ${how} ${missing}.\n${this.complaints}`);
  }
}

/** The processes at work on a store. */
export class RunningSystem {
  readonly history: History;
  readonly #stores: readonly string[];
  readonly #order: Pick<WorkOrder, 'seed'>;
  readonly #workers: RunningWorker[] = [];
  #complaints = '';
  #started = 0;

  constructor(history: History, seed: number, stores: readonly string[]) {
    this.history = history;
    this.#order = { seed };
    this.#stores = stores;
  }

  get workers(): readonly RunningWorker[] {
    return this.#workers;
  }

  /** What all processes that there were printed on standard error. */
  get complaints(): string {
    return this.#complaints + this.#workers.map(({ complaints }) => complaints).join('');
  }

  async start(): Promise<void> {
    for (const store of this.#stores) this.#workers.push(this.#newWorker(store, 'work'));
    await Promise.all(this.#workers.map((worker) => worker.warmUp()));
  }

  /** Kills a process, and starts another in its place. */
  async replace(index: number): Promise<void> {
    const worker = this.#workers[index]!;
    await worker.kill();
    this.#complaints += worker.complaints;
    this.#workers[index] = this.#newWorker(this.#stores[index]!, 'work');
    await this.#workers[index].warmUp();
  }

  /** Everybody closes the store in peace, then one takes everything out. */
  async finish(): Promise<void> {
    for (const worker of this.#workers) await worker.stop();
    const drain = this.#newWorker(this.#stores[0]!, 'drain');
    this.#workers.push(drain);
    await drain.end(DRAIN_MS + GRACE_MS);
  }

  async kill(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()));
  }

  #newWorker(store: string, mode: WorkOrder['mode']): RunningWorker {
    const process = this.#started++;
    const nothing = { bug: null, inDoubt: [], isPoisoner: false, closeAfter: null } as const;
    const order = { ...this.#order, ...nothing, process, store, mode, drainMs: DRAIN_MS };
    return new RunningWorker(this.history, order);
  }
}

/** Lets processes work and strikes them. @throws Error when one does not come back */
export async function runFaults(options: FaultRunOptions): Promise<FaultReport> {
  const { seed, stores, faults } = options;
  const folder = mkdtempSync(join(tmpdir(), 'wherry-faults-'));
  const history = new History(join(folder, 'history.ndjson'));
  const system = new RunningSystem(history, seed, stores);
  try {
    await system.start();
    const before = system.workers.map(({ sockets }) => sockets);
    const effects: FaultEffect[] = [];
    for (const fault of faults) {
      effects.push(await strike(fault, system));
      await sleep(CALM_MS);
    }
    const sockets = system.workers.map((worker, i) => [before[i]!, worker.sockets] as const);
    await poll(() => history.events.length >= EVENTS_MIN, 'enough was done', BACK_MS);
    await system.finish();
    // Several processes write at the same time, and what one wrote first may be read last.
    const inOrder = history.events.toSorted((a, b) => a.t - b.t);
    const verdict = checkHistory(inOrder, makePlan(seed).rules);
    if (verdict.violations.length === 0) rmSync(folder, { recursive: true });
    return { ...verdict, effects, sockets, complaints: system.complaints, folder };
  } finally {
    await system.kill();
  }
}

async function strike(fault: Fault, system: RunningSystem): Promise<FaultEffect> {
  const { name, within = WITHIN_MS } = fault;
  const since = monotonicNow();
  await fault.strike(system);
  const over = monotonicNow();
  await Promise.all(system.workers.map((worker) => worker.back(over)));
  const now = monotonicNow();
  // All that the fault may have hidden has happened when everybody is back.
  system.history.add(SUPERVISOR, { op: 'fault', phase: 'info', name, since });
  return { name, lasted: over - since, back: now - over, within };
}
