import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Benchmark, Figures, RunContext } from './benchmark.ts';
import { InvalidRunError } from './delivery-check.ts';

/** Which run a child process does. */
export interface RunRequest {
  readonly contest: string;
  readonly runner: string;
  /** More than this process's Node can do. */
  readonly needs: 'node 22' | undefined;
  readonly context: RunContext;
}

/** What a child process answers. */
type RunAnswer = { readonly figures: Figures } | { readonly invalid: string };

/**
 * Does a run in a fresh process, so that no run inherits another's heap or compiled code.
 * @throws InvalidRunError when it did not deliver exactly
 * @throws Error when the process ended without an answer
 */
export async function runInChild(request: RunRequest): Promise<Figures> {
  const file = process.argv[1] as string;
  const child = fork(file, ['--run', JSON.stringify(request)], {
    serialization: 'advanced',
    execPath: request.needs === undefined ? process.execPath : node22(),
  });
  let answer: RunAnswer | undefined;
  child.on('message', (message) => (answer = message as RunAnswer));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
    (resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (...end) => resolve(end));
    },
  );
  if (answer === undefined) {
    throw new Error(`The run of '${request.runner}' ended with ${signal ?? `code ${code}`}.`);
  }
  if ('invalid' in answer) {
    throw new InvalidRunError(
      `The run of '${request.runner}' in '${request.contest}' is invalid. ${answer.invalid}`,
    );
  }
  return answer.figures;
}

/** This Node where it is new enough, else the one that is installed beside the peers. */
function node22(): string {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  const name = `node-${process.platform}-${process.arch}/bin/node`;
  const file = fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url));
  if (existsSync(file)) return file;
  throw new Error(
    `A peer needs Node 22.18, which is not there for ${process.platform} on ${process.arch}. ` +
      'Run the benchmark with a newer Node, or leave the peer out with --without.',
  );
}

/** In the child process: does the run and answers it. */
export async function answerRun(benchmark: Benchmark, json: string): Promise<void> {
  const { contest: name, runner, context } = JSON.parse(json) as RunRequest;
  const contest = benchmark.contests.find((candidate) => candidate.name === name);
  const found = contest?.runners[runner];
  if (found === undefined) throw new Error(`There is no runner '${runner}' in '${name}'.`);
  const run = typeof found === 'function' ? found : found.run;
  // Whoever asked is gone, and has removed the folders.
  process.once('disconnect', () => process.exit(1));
  let answer: RunAnswer;
  try {
    answer = { figures: await run(context) };
  } catch (error) {
    if (!(error instanceof InvalidRunError)) throw error;
    answer = { invalid: error.message };
  }
  // A run that failed may have left open what would keep the process alive.
  process.send?.(answer, () => process.exit());
}
