import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { requireProgram } from '../../../../wherry/test/servers/server-process.ts';
import type { AmqpBroker } from './broker.ts';
import { FAMILIES } from './families.ts';

const PATIENCE_MS = 40_000;

/** A line of a transcript: what was done, and what came of it. */
export type Line = Readonly<Record<string, unknown>> & { readonly step: string };

/** Where the transcript of RabbitMQ is kept. */
export function expectedFile(name: string): string {
  return join(import.meta.dirname, 'expected', `${name}.jsonl`);
}

/** @returns what RabbitMQ answered */
export function expectedTranscript(name: string): Line[] {
  const lines = readFileSync(expectedFile(name), 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Line);
}

/**
 * Runs a client's scenario against a broker, which is killed and started again when the scenario
 * asks for it.
 * @returns what it printed; a last line `failed` tells how, when it did not end well
 */
export async function runClient(name: string, broker: AmqpBroker): Promise<Line[]> {
  const { command, args } = FAMILIES[name]!;
  // A group of its own, so that what it starts ends with it; and it does not outlive this process.
  const limited = ['--pdeathsig', 'KILL', '--', command, ...args, broker.url];
  const child = spawn(requireProgram('setpriv'), limited, { stdio: 'pipe', detached: true });
  const deadline = setTimeout(() => killGroup(child.pid!), PATIENCE_MS);
  const ended = new Promise<number | string | null>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve(code ?? signal));
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  // One that has ended reads nothing any more.
  child.stdin.on('error', () => {});
  const transcript: Line[] = [];
  try {
    for await (const text of createInterface(child.stdout)) {
      const line = parse(text);
      if (line['request'] === 'restart') {
        await broker.restart();
        child.stdin.write('restarted\n');
      } else {
        transcript.push(line);
      }
    }
    const end = await ended;
    if (end !== 0) transcript.push({ step: 'failed', end, complaint });
    return transcript;
  } finally {
    clearTimeout(deadline);
    killGroup(child.pid!);
  }
}

function killGroup(id: number): void {
  try {
    process.kill(-id, 'SIGKILL');
  } catch (error) {
    // Nobody is left.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function parse(text: string): Line {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return { step: 'not a line of JSON', text };
  }
}
