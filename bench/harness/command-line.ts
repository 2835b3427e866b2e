import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import type { Benchmark, Settings } from './benchmark.ts';

export interface BenchOptions {
  /** One JSON line per target instead of a table. */
  readonly json: boolean;
  readonly isQuick: boolean;
  /** Names of metrics; empty: all. */
  readonly only: readonly string[];
  /** Names of runners that do not run, nor the metrics that need them. */
  readonly without: readonly string[];
  readonly settings: Settings;
  /** The folder in which the temporary folders are made. */
  readonly directory: string;
  /** Set in a child process: the run to do, as JSON. */
  readonly run: string | undefined;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const usage = `Usage: npm run bench -- NAME [options]
  --json            one JSON line per target on stdout
  --quick           a smoke run: little work, one round; the figures mean nothing
  --only METRIC     just this metric; * stands for anything; may be given several times
  --without RUNNER  leave out what needs this runner or peer; may be given several times
  --set NAME=NUMBER changes a setting of the benchmark; may be given several times
  --dir FOLDER      where the temporary folders are made (default: ${tmpdir()})`;

/** @throws UsageError */
export function readCommandLine(args: readonly string[], benchmark: Benchmark): BenchOptions {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        without: { type: 'string', multiple: true, default: [] },
        set: { type: 'string', multiple: true, default: [] },
        dir: { type: 'string', default: tmpdir() },
        run: { type: 'string' },
      },
    }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`);
  }
  const { contests } = benchmark;
  const metrics = contests.flatMap((contest) => contest.metrics.map(({ name }) => name));
  const runners = contests.flatMap((contest) => Object.keys(contest.runners));
  const peers = contests.flatMap((contest) =>
    contest.metrics.flatMap(({ beside }) => beside ?? []),
  );
  const unknown = values.only.filter((pattern) => !metrics.some((name) => matches(name, pattern)));
  checkKnown('metric', unknown, metrics);
  checkKnown('runner', values.without, [...runners, ...peers]);
  if (!existsSync(values.dir)) throw new UsageError(`There is no folder ${values.dir}.`);
  return {
    json: values.json,
    isQuick: values.quick,
    only: values.only,
    without: values.without,
    settings: readSettings(values.set, benchmark.settings ?? {}),
    directory: values.dir,
    run: values.run,
  };
}

/** @returns whether a pattern of `--only` means the metric */
export function matches(metric: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[^\w-]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.*')}$`).test(metric);
}

function readSettings(given: readonly string[], defaults: Settings): Settings {
  const settings = given.map((one): [string, number] => {
    const [, name = one, value] = /^(.+)=([\d_]+)$/.exec(one) ?? [];
    checkKnown('setting', [name], Object.keys(defaults));
    if (value === undefined) throw new UsageError(`--set ${one}: it must be ${name}=NUMBER.`);
    return [name, Number(value.replaceAll('_', ''))];
  });
  return { ...defaults, ...Object.fromEntries(settings) };
}

function checkKnown(what: string, names: readonly string[], known: readonly string[]): void {
  for (const name of names) {
    if (known.includes(name)) continue;
    const list = [...new Set(known)].join(', ');
    throw new UsageError(`There is no ${what} '${name}' in this benchmark. It has: ${list}.`);
  }
}
