import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));

/**
 * Starts child.ts and waits for what it says.
 * @param fileBlocks most 1,024-byte blocks in a file that it writes; left out: no limit
 */
export async function startChild(
  what: string,
  path: string,
  fileBlocks?: number,
): Promise<{ child: ChildProcess; answer: unknown }> {
  const args = ['--import', 'tsx', CHILD, what, path];
  const limit = fileBlocks === undefined ? '' : `ulimit -f ${fileBlocks}; `;
  const shell = ['-c', `${limit}exec "$0" "$@"`, process.execPath, ...args];
  const child = spawn('bash', shell, { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, answer: JSON.parse(line) };
  }
  throw new Error(`The child process '${what}' said nothing. ${complaint}`);
}

/** Ends it as a crash would. */
export async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** Waits until it has ended by itself. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
