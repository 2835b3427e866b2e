import { execFile } from 'node:child_process';
import { join } from 'node:path';

/** How an example ended. */
export interface Ended {
  /** The exit code; null when it had to be killed. */
  readonly code: number | null;
  /** What it printed, its errors included. */
  readonly output: string;
}

const examples: string = join(import.meta.dirname, '..');
const timeout = 60_000;

/** Runs an example as its README says, in a process of its own. */
export function runExample(file: string, ...options: string[]): Promise<Ended> {
  const args = ['--import', import.meta.resolve('tsx'), join(examples, file), ...options];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { timeout }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, output: stdout + stderr });
    });
  });
}
