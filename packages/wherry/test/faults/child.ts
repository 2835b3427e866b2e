import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { compiled } from '../compiled.ts';

const WORKER = compiled(new URL('worker.ts', import.meta.url));
const PATIENCE_MS = 60_000;
const GONE_MS = 500;

/** What a worker says: a line of JSON each. */
export interface Said {
  readonly event: string;
  readonly id?: string;
  /** Of the message, from the parent's first number on. */
  readonly number?: number;
  readonly code?: string;
  readonly [more: string]: unknown;
}

export interface ChildOptions {
  /** A command that runs the worker's. */
  readonly wrapper?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** A worker process with a store of its own, and all that it said. */
export class Child {
  readonly said: Said[] = [];
  /** When it is gone, and all that it said was read: the signal that ended it, if one did. */
  readonly ended: Promise<NodeJS.Signals | null>;
  readonly #process: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #isEnded = false;
  #complaint = '';

  /** @param args what worker.ts takes */
  constructor(test: TestContext, args: readonly string[], options: ChildOptions = {}) {
    const { wrapper = [], env = {} } = options;
    const [program, ...rest] = [...wrapper, process.execPath, WORKER, ...args];
    this.#process = spawn(program!, rest, {
      // A group of its own, so that a kill meets the worker too and not only what runs it.
      detached: true,
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env },
    });
    const { stdin, stdout, stderr } = this.#process;
    stdin!.on('error', () => undefined);
    stderr!.on('data', (chunk: Buffer) => (this.#complaint += chunk.toString()));
    createInterface({ input: stdout! }).on('line', (line) => this.#hear(line));
    this.ended = new Promise((resolve, reject) => {
      this.#process.once('error', reject).once('close', (_code, signal) => {
        this.#isEnded = true;
        this.#wake();
        resolve(signal);
      });
    });
    test.after(() => this.kill());
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** Tells the worker something. */
  tell(line: string): void {
    this.#process.stdin!.write(`${line}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // Gone already.
    }
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
    await this.#groupGone();
  }

  /** The worker behind a wrapper closes its pipes some moments before it is gone. */
  async #groupGone(): Promise<void> {
    const deadline = Date.now() + GONE_MS;
    while (Date.now() < deadline) {
      try {
        process.kill(-this.pid, 0);
      } catch {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // What is left has only not been waited for, which is as good as gone.
  }

  /** Waits until it has said so much. @throws Error when it ends or stays silent before */
  async until(isEnough: (said: readonly Said[]) => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!isEnough(this.said)) {
      if (this.#isEnded || Date.now() >= deadline) {
        const last = JSON.stringify(this.said.slice(-3));
        throw new Error(`The worker ended or stays silent; last: ${last} ${this.#complaint}`);
      }
      await this.#news(deadline - Date.now());
    }
  }

  /** Waits for an event. @throws Error when it does not come */
  async hear(event: string): Promise<Said> {
    const find = (): Said | undefined => this.said.find((said) => said.event === event);
    await this.until(() => find() !== undefined);
    return find()!;
  }

  #news(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#waiting.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #hear(line: string): void {
    // A kill may cut the last line off.
    if (line.endsWith('}')) this.said.push(JSON.parse(line) as Said);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
