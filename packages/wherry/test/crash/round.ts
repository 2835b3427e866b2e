import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoopImage } from '../faults/loop-image.ts';
import { checkHistory, type Verdict } from './checker.ts';
import { type HistoryEvent, monotonicNow } from './history.ts';
import { makePlan } from './plan.ts';
import { Random } from './random.ts';
import { Recorder } from './recorder.ts';
import { History, Worker, type WorkerOptions } from './supervisor.ts';
import { carryOut, type WorkOrder } from './work-order.ts';

export interface RoundOptions {
  /** Chooses queues, features and the moments of the kills. Their timing it cannot repeat. */
  readonly seed: number;
  readonly kills: number;
  /** An empty folder, for the store and the history. */
  readonly folder: string;
  /** Where the store is to be, if not there. */
  readonly store?: string;
  /** See `planted-bugs.ts`. */
  readonly bug?: string;
  /** Events after which a process is killed at the latest. Default 2,500. */
  readonly eventsMax?: number;
  /** Events after which each process is killed. Default: the seed chooses. */
  readonly killAfter?: number;
  /** Milliseconds that a drain may take. Default 20 s. */
  readonly drainMs?: number;
  /** How each process is started, by its number. */
  readonly worker?: (process: number) => WorkerOptions;
  /** What each process was started with kills it; nobody here does. */
  readonly killsItself?: boolean;
  /** What happens to the disk at a kill. */
  readonly disk?: {
    /** Just before the process is killed. */
    readonly strike: () => void;
    /** When it is gone. */
    readonly repair: () => void;
  };
  /** Called after each process's end. */
  readonly onEnd?: (kills: number) => void;
}

export interface RoundResult extends Verdict {
  /** The file that holds the history. */
  readonly history: string;
}

const EVENTS_MAX = 2_500;
/** Everybody waits for everybody: then a process that works is killed, and the round is over. */
const SILENCE_MS = 45_000;
/** Without faults everything must be out by then; it takes a second or two. */
const DRAIN_MS = 20_000;
/** How long a drain may take beyond what it was given, in milliseconds. */
const DRAIN_GRACE_MS = 15_000;

/**
 * Lets one process after the other work on a store and be killed, then one drain it, and checks
 * the history.
 */
export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { seed, folder } = options;
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'history.ndjson');
  const history = new History(file);
  const round = new Round(options, history, options.store ?? join(folder, 'store'));
  await round.run();
  return { ...checkHistory(history.events, makePlan(seed).rules), history: file };
}

/** Has the store on a file system whose power fails at each kill. */
export function onLoopImage(image: LoopImage): Pick<RoundOptions, 'store' | 'disk'> {
  const repair = (): void => {
    image.unmount();
    image.mount();
  };
  return {
    store: join(image.folder, 'store'),
    disk: { strike: () => image.cutPower(), repair },
  };
}

/** As `runRound`, but without kills, in this process: it works for so many events, then it drains. */
export async function runPeacefully(
  options: Pick<RoundOptions, 'seed' | 'folder' | 'bug' | 'drainMs'> & { readonly events: number },
): Promise<Verdict> {
  const { seed, folder, bug = null, drainMs = DRAIN_MS } = options;
  const events: HistoryEvent[] = [];
  const stop = new AbortController();
  const add = (lines: string): void => {
    for (const line of lines.trimEnd().split('\n')) events.push(JSON.parse(line) as HistoryEvent);
    if (events.length >= options.events) stop.abort();
  };
  const store = join(folder, 'store');
  const common = { store, seed, bug, inDoubt: [], isPoisoner: false, closeAfter: null, drainMs };
  for (const [process, mode] of (['work', 'drain'] as const).entries()) {
    const order: WorkOrder = { ...common, process, mode };
    await carryOut(order, new Recorder(process, add), stop.signal);
  }
  return checkHistory(events, makePlan(seed).rules);
}

class Round {
  readonly #options: RoundOptions;
  readonly #history: History;
  readonly #store: string;
  readonly #random: Random;
  #process = 0;
  #started = 0;
  #hasStruck = false;

  constructor(options: RoundOptions, history: History, store: string) {
    this.#options = options;
    this.#history = history;
    this.#store = store;
    this.#random = new Random(options.seed ^ 0x5eed);
  }

  async run(): Promise<void> {
    const { kills, onEnd } = this.#options;
    // Starting Node takes longer than many a process may live, so the next one is always ready.
    let next = this.#newWorker();
    try {
      for (let killed = 0; killed < kills;) {
        const worker = next;
        next = this.#newWorker();
        if (await this.#live(worker)) killed += 1;
        onEnd?.(killed);
      }
      await this.#drain(next);
    } finally {
      next.kill();
      await next.ended;
    }
  }

  /** @returns whether it was killed, or else closed the store in peace */
  async #live(worker: Worker): Promise<boolean> {
    const random = this.#random;
    const { killsItself = false, killAfter, disk } = this.#options;
    const isChosen = killsItself || killAfter !== undefined;
    const isPeaceful = !isChosen && random.chance(0.1);
    const isPoisoner = !isChosen && random.chance(0.06);
    const closeAfter = isPeaceful ? random.integer(50, 500) : null;
    worker.start({ ...this.#order('work'), isPoisoner, closeAfter });
    this.#hasStruck = false;
    if (!isPeaceful && !killsItself) void this.#killAtRandom(worker);
    const { code, signal, isSilent } = await endOf(worker);
    this.#process += 1;
    if (isSilent) throw new Error(`A worker did nothing for ${SILENCE_MS} ms. ${worker.errors}`);
    // What happens to a process when its disk is gone does not matter.
    const isExpected = signal === 'SIGKILL' || (isPeaceful && code === 0) || this.#hasStruck;
    if (!isExpected) throw new Error(`A worker ended with ${code ?? signal}:\n${worker.errors}`);
    if (this.#hasStruck) disk?.repair();
    return signal === 'SIGKILL';
  }

  /** By what it has done, not by the time, so that a busy machine does not make it do nothing. */
  async #killAtRandom(worker: Worker): Promise<void> {
    const random = this.#random;
    const { killAfter, eventsMax = EVENTS_MAX } = this.#options;
    if (killAfter === undefined && random.chance(0.2)) {
      await worker.see(({ op }) => op === 'open');
      await sleep(random.integer(0, 25));
    } else {
      let left = killAfter ?? random.integer(1, eventsMax);
      await worker.see(({ op }) => op !== 'open' && --left <= 0);
    }
    if (worker.isEnded) return;
    if (this.#options.disk !== undefined) {
      this.#options.disk.strike();
      this.#hasStruck = true;
    }
    worker.kill();
  }

  async #drain(worker: Worker): Promise<void> {
    worker.start(this.#order('drain'));
    const timer = setTimeout(() => worker.kill(), this.#drainMs + DRAIN_GRACE_MS);
    const { code, signal } = await worker.ended;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`The drain ended with ${code ?? signal}:\n${worker.errors}`);
  }

  get #drainMs(): number {
    return this.#options.drainMs ?? DRAIN_MS;
  }

  #order(mode: WorkOrder['mode']): WorkOrder {
    const { seed, bug = null } = this.#options;
    return {
      process: this.#process,
      store: this.#store,
      seed,
      mode,
      bug,
      inDoubt: this.#process === 0 ? [] : this.#history.inDoubt(this.#process - 1),
      isPoisoner: false,
      closeAfter: null,
      drainMs: this.#drainMs,
    };
  }

  #newWorker(): Worker {
    return new Worker(this.#history, this.#options.worker?.(this.#started++));
  }
}

async function endOf(
  worker: Worker,
): Promise<{ code: number | null; signal: string | null; isSilent: boolean }> {
  let isSilent = false;
  const watch = setInterval(() => {
    isSilent = monotonicNow() - worker.heardAt > SILENCE_MS;
    if (isSilent) worker.kill();
  }, 500);
  const end = await worker.ended;
  clearInterval(watch);
  return { ...end, isSilent };
}
