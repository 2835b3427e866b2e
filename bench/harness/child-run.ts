import { fork } from 'node:child_process';
import type { Benchmark, Figures, RunContext } from './benchmark.ts';
import { InvalidRunError } from './delivery-check.ts';

/** Which run a child process does. */
export interface RunRequest {
  readonly contest: string;
  readonly runner: string;
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
  const child = fork(file, ['--run', JSON.stringify(request)], { serialization: 'advanced' });
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

/** In the child process: does the run and answers it. */
export async function answerRun(benchmark: Benchmark, json: string): Promise<void> {
  const { contest: name, runner, context } = JSON.parse(json) as RunRequest;
  const contest = benchmark.contests.find((candidate) => candidate.name === name);
  const run = contest?.runners[runner];
  if (run === undefined) throw new Error(`There is no runner '${runner}' in '${name}'.`);
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
