import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, Contest, Metric } from './benchmark.ts';
import { answerRun } from './child-run.ts';
import { type BenchOptions, matches, readCommandLine, UsageError } from './command-line.ts';
import { InvalidRunError } from './delivery-check.ts';
import { holdContest } from './hold-contest.ts';
import { type Result, judge } from './judge.ts';
import { describeMachine } from './machine.ts';
import { formatJson, formatTable } from './report.ts';
import { SyncProbe } from './sync-probe.ts';

const ROUNDS = 3;
const SYNCS_PER_RUN = 100;

/**
 * Runs a benchmark as its command line asks. Exit code: 0 measured, whether or not the targets were
 * met; 1 a run lost or doubled a message, or failed; 2 wrong usage.
 */
export async function runBenchmark(benchmark: Benchmark): Promise<void> {
  try {
    const options = readCommandLine(process.argv.slice(2), benchmark);
    if (options.run === undefined) await measure(benchmark, options);
    else await answerRun(benchmark, options.run);
  } catch (error) {
    const isExplained = error instanceof UsageError || error instanceof InvalidRunError;
    console.error(isExplained ? error.message : error);
    process.exit(error instanceof UsageError ? 2 : 1);
  }
}

async function measure(benchmark: Benchmark, options: BenchOptions): Promise<void> {
  const { isQuick } = options;
  const contests = selectContests(benchmark, options);
  const folder = mkdtempSync(join(options.directory, 'wherry-bench-'));
  const clean = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', clean);
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));

  const syncs: number[] = [];
  const results: Result[] = [];
  using probe = new SyncProbe(folder);
  for (const contest of contests) {
    const rounds = await holdContest(contest, {
      folder,
      isQuick,
      settings: options.settings,
      rounds: isQuick ? 1 : (contest.rounds ?? benchmark.rounds ?? ROUNDS),
      beforeRun: () => {
        for (let i = 0; i < SYNCS_PER_RUN; i++) syncs.push(probe.sync());
      },
      log: (line) => console.error(line),
    });
    for (const metric of contest.metrics) results.push(judge(metric, rounds));
  }

  const machine = describeMachine(folder, syncs);
  if (options.json) {
    for (const line of machine) console.error(line);
    for (const result of results.filter(hasTarget)) console.log(formatJson(benchmark.name, result));
  } else {
    console.log(
      `\n${benchmark.name}${isQuick ? ' (a smoke run: these figures mean nothing)' : ''}`,
    );
    console.log([...machine, '', formatTable(results)].join('\n'));
  }
}

function hasTarget(result: Result): result is Result & { met: boolean } {
  return result.met !== null;
}

/** What is left of the benchmark when `--only` and `--without` are heeded. Says what it leaves out. */
function selectContests(benchmark: Benchmark, { only, without }: BenchOptions): Contest[] {
  const isWanted = ({ name, ours, peer, beside }: Metric): boolean => {
    if (only.length > 0 && !only.some((pattern) => matches(name, pattern))) return false;
    const missing = [ours[0], peer?.[0], beside].find((needed) => without.includes(needed ?? ''));
    if (missing !== undefined) console.error(`left out: ${name}, which needs ${missing}`);
    return missing === undefined;
  };
  const contests = benchmark.contests
    .map((contest) => ({ ...contest, metrics: contest.metrics.filter(isWanted) }))
    .filter(({ metrics }) => metrics.length > 0);
  if (contests.length === 0) throw new UsageError('These options leave nothing to measure.');
  return contests;
}
