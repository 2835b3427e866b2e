/**
 * What a benchmark is, as data. `bench/NAME.ts` defines one and hands it to `runBenchmark`; then
 * `npm run bench -- NAME` runs it.
 */

/** What a run came to, by name. */
export type Figures = Readonly<Record<string, number>>;

export interface RunContext {
  /** An empty folder of this run's own, removed after it. */
  readonly folder: string;
  /** A folder that all runs of the contest share, removed after the last. */
  readonly shared: string;
  /** A smoke run: so little work that the figures mean nothing. */
  readonly isQuick: boolean;
  /** The benchmark's settings, as `--set` left them. */
  readonly settings: Settings;
  /** What the wanted metrics ask for with `Metric.beside`, each once. */
  readonly beside: readonly string[];
}

/** Numbers that say how much work a benchmark does, by name. */
export type Settings = Readonly<Record<string, number>>;

/**
 * Does the work of one contender and measures it. It checks that each message it sent came exactly
 * once. @throws InvalidRunError when not
 */
type Run = (context: RunContext) => Promise<Figures>;

/** A run, and what it needs of Node where that is more than ours does. */
export type Runner = Run | { readonly run: Run; readonly needs: 'node 22' };

/** Runs that are compared with each other: each in a fresh process, in turn, round after round. */
export interface Contest {
  /** For people. */
  readonly name: string;
  /**
   * Makes, once and before the first round, what the runs find in their shared folder.
   * @returns how to take it down again, where that is more than removing the folder
   */
  readonly prepare?: (context: RunContext) => Promise<void | (() => Promise<void>)>;
  readonly runners: Readonly<Record<string, Runner>>;
  readonly metrics: readonly Metric[];
  /** How often each runner runs; left out: as often as the benchmark says. */
  readonly rounds?: number;
}

/** Which figure of which runner. */
export type FigureOf = readonly [runner: string, figure: string];

export type Unit = '/s' | 'ms' | 's' | 'µs' | 'MB' | 'B' | 'of a core' | '';

export interface Metric {
  /** Unique in the benchmark; `--only` takes it. */
  readonly name: string;
  readonly unit: Unit;
  readonly ours: FigureOf;
  readonly peer?: FigureOf;
  /** What a runner that measures several peers in turns must measure; `--without` takes it. */
  readonly beside?: string;
  /** Of ours divided by the peer's, or of ours when there is no peer. None: shown, not judged. */
  readonly target?: Target;
}

export type Target = { readonly atLeast: number } | { readonly atMost: number };

export interface Benchmark {
  readonly name: string;
  readonly contests: readonly Contest[];
  /** How often each runner runs; left out: three times. */
  readonly rounds?: number;
  /** What `--set NAME=NUMBER` may change, with the defaults. */
  readonly settings?: Settings;
}
