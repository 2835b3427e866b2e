/**
 * What every server of the tests shares: a program started in a temporary folder of its own, ended
 * by its process id. Nothing is left behind, also when the test process is killed: the kernel then
 * kills the servers (`setpriv --pdeathsig`), and a small shell, which it signals too, removes the
 * folders.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Program,
  findProgram,
  installCommand,
  missingPackages,
} from '../../../../scripts/system-packages.ts';

const PATIENCE_MS = 30_000;
/** Between two questions whether something has happened. */
const PAUSE_MS = { min: 10, max: 160 };

/** A program to start, and how to see that it is up. */
export interface ServerCommand {
  readonly program: Program;
  readonly args: readonly string[];
  /** What it prints when it answers. */
  readonly ready: RegExp;
  /** Who runs it, if this process is root; some servers refuse root. */
  readonly user?: string;
}

/** @throws Error that says what to install when a program is not on this machine */
export function requireProgram(program: Program): string {
  const file = findProgram(program);
  if (file !== undefined) return file;
  throw new Error(`${program} is not installed; run: ${installCommand(missingPackages())}`);
}

let parentFolder: string | undefined;

/** @returns a new folder that belongs to `user` and is gone when this process is */
export function serverFolder(name: string, user?: string): string {
  parentFolder ??= watchedFolder();
  const folder = mkdtempSync(join(parentFolder, `${name}-`));
  if (user !== undefined && isRoot()) chownSync(folder, id('-u', user), id('-g', user));
  return folder;
}

function watchedFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-servers-'));
  // Users that a server runs as must get through.
  chmodSync(folder, 0o755);
  // It hears of this process's death by a signal. The servers die at the same moment, but some of
  // PostgreSQL's processes write a little longer.
  const script =
    'trap : TERM; sleep infinity & wait; kill $!; ' +
    'for i in 1 2 3 4 5; do rm -rf "$1" && exit; sleep 0.2; done';
  const watch = ['--pdeathsig', 'TERM', '--', 'sh', '-c', script, 'sh', folder];
  // A session of its own: what kills this process's group must not kill it.
  spawn(requireProgram('setpriv'), watch, { detached: true, stdio: 'ignore' }).unref();
  return folder;
}

/** Wraps a command so that it runs as `user` and does not outlive this process. */
function wrapped(program: string, args: readonly string[], user?: string): string[] {
  const identity =
    user !== undefined && isRoot() ? ['--reuid', user, '--regid', user, '--init-groups'] : [];
  return [requireProgram('setpriv'), '--pdeathsig', 'KILL', ...identity, '--', program, ...args];
}

/** Runs a program to its end, as `user`. @throws Error with what it printed when it fails */
export function runAs(user: string, program: Program, args: readonly string[]): string {
  const [command, ...rest] = wrapped(requireProgram(program), args, user);
  return execFileSync(command!, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A running server. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #logFile: string;
  readonly #gone: Promise<void>;
  #isGone = false;
  #failure = '';

  private constructor({ program, args, user }: ServerCommand, folder: string) {
    const [command, ...rest] = wrapped(requireProgram(program), args, user);
    this.#logFile = join(folder, 'log');
    const log = openSync(this.#logFile, 'w');
    this.#child = spawn(command!, rest, { cwd: folder, stdio: ['ignore', log, log] });
    closeSync(log);
    this.#gone = new Promise((resolve) => {
      const end = (): void => {
        this.#isGone = true;
        resolve();
      };
      this.#child.once('error', ({ message }) => (this.#failure = message)).once('error', end);
      this.#child.once('exit', end);
    });
  }

  /** @throws Error with what it printed when it ends before it is up, or takes too long */
  static async start(command: ServerCommand, folder: string): Promise<ServerProcess> {
    const server = new ServerProcess(command, folder);
    await poll(() => {
      if (server.#isGone) throw new Error(`${command.program} ended:\n${server.log}`);
      return command.ready.test(server.log);
    }, `${command.program} is up`);
    // One that a test forgot does not keep the test process alive.
    server.#child.unref();
    return server;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** What it printed since it was started. */
  get log(): string {
    return readFileSync(this.#logFile, 'utf8') + this.#failure;
  }

  get isRunning(): boolean {
    return !this.#isGone;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#isGone) process.kill(this.pid, signal);
  }

  /** Sends a signal that ends it and waits until it has; kills it when that takes too long. */
  async end(signal: NodeJS.Signals, patience: number = PATIENCE_MS): Promise<void> {
    this.#child.ref();
    this.signal(signal);
    // One that is stopped would not notice.
    if (signal !== 'SIGKILL') this.signal('SIGCONT');
    const deadline = setTimeout(() => this.signal('SIGKILL'), patience);
    await this.#gone;
    clearTimeout(deadline);
  }
}

/** Removes a server's folder, in which its last children may still write. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** @returns the processes that a process started and that still run */
export function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return list === '' ? [] : list.split(' ').map(Number);
}

/** @returns whether a process runs; one that only has not been waited for does not */
export function isAlive(pid: number): boolean {
  try {
    // After the name, which may hold anything, comes the state.
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Asks until the answer is yes. @throws Error that names what did not happen */
export async function poll(
  condition: () => boolean | Promise<boolean>,
  what: string,
  patience: number = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + patience;
  // Whoever asks through a program of the server's takes the machine from what is waited for.
  for (let pause = PAUSE_MS.min; !(await condition()); pause = Math.min(2 * pause, PAUSE_MS.max)) {
    if (performance.now() > deadline) throw new Error(`Not within ${patience} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function id(flag: '-u' | '-g', user: string): number {
  return Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
}
