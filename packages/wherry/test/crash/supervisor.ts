/** Starts workers, kills them, and keeps the history, which no kill can reach. */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { compiled } from '../compiled.ts';
import {
  type HistoryEvent,
  type HistoryRecord,
  monotonicNow,
  type SendInvoked,
} from './history.ts';
import type { WorkOrder } from './work-order.ts';

const WORKER = compiled(new URL('worker.ts', import.meta.url));

export interface WorkerOptions {
  /** A command that runs the worker's: `['strace', '-f']`. */
  readonly wrapper?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** All events so far, in memory and in a file. */
export class History {
  readonly events: HistoryEvent[] = [];
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** @param lines whole ones, of JSON */
  addLines(lines: readonly string[]): void {
    if (lines.length === 0) return;
    for (const line of lines) this.events.push(JSON.parse(line) as HistoryEvent);
    appendFileSync(this.#file, `${lines.join('\n')}\n`);
  }

  add(process: number, record: HistoryRecord): void {
    this.addLines([JSON.stringify({ t: monotonicNow(), process, ...record })]);
  }

  /** Sends of a process that nobody knows the outcome of, and that may safely be sent again. */
  inDoubt(process: number): SendInvoked[] {
    const open = new Map<number, SendInvoked>();
    for (const event of this.events) {
      if (event.process !== process || event.op !== 'send') continue;
      if (event.phase !== 'invoke') open.delete(event.call);
      else if (event.deduplicationId !== null) {
        const { t: _, process: __, ...invoked } = event;
        open.set(event.call, invoked);
      }
    }
    return [...open.values()];
  }
}

/** A worker process, from its start, when it has no store yet, to its end. */
export class Worker {
  /** How the process ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** When it was told to start, or last wrote an event. */
  heardAt: number = Infinity;
  readonly #child: ChildProcess;
  readonly #history: History;
  readonly #listeners = new Set<(event: HistoryEvent) => void>();
  #process = -1;
  #rest = '';
  #errors = '';

  constructor(history: History, { wrapper = [], env = {} }: WorkerOptions = {}) {
    this.#history = history;
    const command = [...wrapper, process.execPath, WORKER];
    this.#child = spawn(command[0]!, command.slice(1), {
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
      // A group of its own, so that a kill meets the worker too and not only what runs it.
      detached: true,
      // UV_USE_IO_URING would hide writes from strace. The test runner's variable confuses node:test.
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env },
    });
    // A worker that was killed cannot be told anything: its end says so.
    this.#child.stdin!.on('error', () => undefined);
    this.#child.stderr!.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
    const events = this.#child.stdio[3] as Readable;
    events.setEncoding('utf8').on('data', (chunk: string) => this.#read(chunk));
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      // 'close' comes when the history was read to its end, too.
      this.#child.once('close', (code, signal) => {
        if (this.#process >= 0) history.add(this.#process, { op: 'death', phase: 'info', signal });
        resolve({ code, signal });
      });
    });
  }

  get isEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** What it printed on standard error. */
  get errors(): string {
    return this.#errors;
  }

  start(order: WorkOrder): void {
    this.#process = order.process;
    this.heardAt = monotonicNow();
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
  }

  /** Tells it to close the store in peace. */
  stop(): void {
    this.#child.stdin!.write('stop\n');
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Resolves with the first event that is wanted, or null when the process ended without it. */
  async see(isWanted: (event: HistoryEvent) => boolean): Promise<HistoryEvent | null> {
    let listener: (event: HistoryEvent) => void = () => undefined;
    const seen = new Promise<HistoryEvent>((resolve) => {
      listener = (event) => {
        if (isWanted(event)) resolve(event);
      };
    });
    this.#listeners.add(listener);
    try {
      return await Promise.race([seen, this.ended.then(() => null)]);
    } finally {
      this.#listeners.delete(listener);
    }
  }

  kill(): void {
    this.signal('SIGKILL');
  }

  signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // Gone already.
    }
  }

  #read(chunk: string): void {
    this.heardAt = monotonicNow();
    const lines = (this.#rest + chunk).split('\n');
    // What a kill cut off in the middle of a line is no event.
    this.#rest = lines.pop()!;
    const from = this.#history.events.length;
    this.#history.addLines(lines);
    for (const event of this.#history.events.slice(from)) {
      for (const listener of this.#listeners) listener(event);
    }
  }
}
