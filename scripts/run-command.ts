import { spawn, spawnSync } from 'node:child_process';

/** How a command ended, and everything it printed. */
export interface CommandResult {
  /** The exit code; `null` when a signal or the deadline ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  timedOut: boolean;
  output: string;
}

export interface CommandOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Milliseconds after which the command and all it started are killed. */
  timeout?: number;
}

/**
 * Runs a command and keeps what it prints. It leads its own process group, so that a deadline also
 * ends the processes that it started.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));

  let timedOut = false;
  const deadline =
    options.timeout === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          killGroup(child.pid);
        }, options.timeout);
  const forward = (): void => {
    killGroup(child.pid);
    process.exit(130);
  };
  process.once('SIGINT', forward).once('SIGTERM', forward);

  try {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
      (resolve, reject) => {
        child.once('error', reject);
        child.once('close', (...end) => resolve(end));
      },
    );
    return { code, signal, timedOut, output: Buffer.concat(chunks).toString() };
  } finally {
    clearTimeout(deadline);
    process.off('SIGINT', forward).off('SIGTERM', forward);
  }
}

/** Runs a command on this terminal. @returns its exit code; 1 when a signal ended it. */
export function runHere(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): number {
  const { status, error } = spawnSync(command, args, {
    cwd: options.cwd,
    env: options.env,
    stdio: 'inherit',
  });
  if (error !== undefined) throw error;
  return status ?? 1;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
