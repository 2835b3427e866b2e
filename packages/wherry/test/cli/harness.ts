import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { after } from 'node:test';
import { builtModule } from '../../../../scripts/built-module.ts';
import { run } from '../../src/cli/run.ts';

/** What a command answered. */
export interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  /** Standard input. */
  readonly input?: string | Uint8Array | Readable;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  /** Standard output and error are terminals. */
  readonly terminal?: boolean;
  readonly stdout?: Writable;
}

/** @returns a folder that is removed after the file's tests */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-cli-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A fresh store, and the command line on it. */
export class TestStore {
  readonly path: string;

  /** @param path left out: a folder that does not exist yet */
  constructor(path: string = join(temporaryFolder(), 'store')) {
    this.path = path;
  }

  /** Runs a command in this process. */
  async call(args: readonly string[], options: CallOptions = {}): Promise<Answer> {
    const stdout = new Capture(options.terminal);
    const stderr = new Capture(options.terminal);
    const { input = '' } = options;
    const code = await run([...args, '--store', this.path], {
      stdin: input instanceof Readable ? input : Readable.from([Buffer.from(input)]),
      stdout: options.stdout ?? stdout,
      stderr,
      env: options.env ?? shellEnvironment(),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  }

  /** Runs a command that must succeed. @returns its standard output */
  async ok(args: readonly string[], options?: CallOptions): Promise<string> {
    const answer = await this.call(args, options);
    if (answer.code === 0) return answer.stdout;
    throw new Error(`wherry ${args.join(' ')} exited with ${answer.code}: ${answer.stderr}`);
  }

  /** Runs a command that must succeed. @returns the JSON document it printed */
  async json<T = Record<string, unknown>>(
    args: readonly string[],
    options?: CallOptions,
  ): Promise<T> {
    return JSON.parse(await this.ok([...args, '--json'], options)) as T;
  }

  /** Runs a command that must succeed. @returns the lines of JSON it printed */
  async lines<T = Record<string, unknown>>(
    args: readonly string[],
    options?: CallOptions,
  ): Promise<T[]> {
    return parseLines<T>(await this.ok([...args, '--json'], options));
  }

  /** Starts the real program in a process of its own. */
  start(args: readonly string[]): Program {
    return new Program([...args, '--store', this.path]);
  }
}

export function parseLines<T>(text: string): T[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

/** Collects what is written. */
export class Capture extends Writable {
  readonly isTTY: boolean;
  readonly columns = 100;
  readonly rows = 10;
  readonly #chunks: Buffer[] = [];
  readonly #onWrite: (text: string) => void;

  /** @param onWrite told all that was written so far, after each write */
  constructor(isTerminal = false, onWrite: (text: string) => void = () => {}) {
    super();
    this.isTTY = isTerminal;
    this.#onWrite = onWrite;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    done();
    this.#onWrite(this.text());
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}

/** Just what a shell needs, so that the tests do not depend on who runs them. */
function shellEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: process.env['HOME'] };
}

const { file, execArgv } = builtModule('wherry', 'cli/main');
const MAIN = [...execArgv, file];

/** The command that starts the real program, quoted for a shell. */
export const PROGRAM: string = [process.execPath, ...MAIN].map(quoted).join(' ');

export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The real program, or a shell line with it, in a process of its own. */
export class Program {
  readonly child: ChildProcess;
  readonly #stdout = new Capture();
  readonly #stderr = new Capture();
  readonly #ended: Promise<number | null>;
  readonly #watchers = new Set<() => void>();

  constructor(args: readonly string[] | { shell: string }) {
    const [command, argv] =
      'shell' in args
        ? ['bash', ['-o', 'pipefail', '-c', args.shell]]
        : [process.execPath, [...MAIN, ...args]];
    this.child = spawn(command, argv, { env: shellEnvironment(), stdio: 'pipe' });
    for (const [source, capture] of [
      [this.child.stdout, this.#stdout],
      [this.child.stderr, this.#stderr],
    ] as const) {
      source?.on('data', (chunk: Buffer) => {
        capture.write(chunk);
        for (const watcher of this.#watchers) watcher();
      });
    }
    this.#ended = new Promise((resolve) => {
      this.child.on('close', (code) => {
        resolve(code);
        for (const watcher of this.#watchers) watcher();
      });
    });
  }

  /** What it has written so far: standard output, then standard error. */
  get output(): string {
    return this.#stdout.text() + this.#stderr.text();
  }

  /** Resolves when `text` was written to standard output or error. */
  async said(text: string): Promise<void> {
    const { promise, resolve } = deferred();
    const look = (): void => {
      if (this.output.includes(text)) resolve();
    };
    this.#watchers.add(look);
    look();
    const end = this.#ended.then((code) => {
      look();
      throw new Error(`ended with ${code} without saying '${text}': ${this.#stderr.text()}`);
    });
    await Promise.race([promise, end]);
    this.#watchers.delete(look);
    end.catch(() => {});
  }

  async answer(): Promise<Answer> {
    const code = await this.#ended;
    return { code, stdout: this.#stdout.text(), stderr: this.#stderr.text() };
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
