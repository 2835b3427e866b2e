import type { Figures, FigureOf, Metric } from './benchmark.ts';
import { median } from './statistics.ts';

/** The figures of each run, by runner, in the order of the rounds. */
export type Rounds = ReadonlyMap<string, readonly Figures[]>;

/** What a metric came to. */
export interface Result {
  readonly metric: Metric;
  /** The median of the rounds. */
  readonly ours: number;
  readonly peer: number | null;
  /** Ours divided by the peer's. */
  readonly ratio: number | null;
  /** `null` when the metric has no target. */
  readonly met: boolean | null;
}

/** @throws Error when a runner did not give a figure that the metric needs */
export function judge(metric: Metric, rounds: Rounds): Result {
  const ours = medianOf(metric.ours, rounds);
  const peer = metric.peer === undefined ? null : medianOf(metric.peer, rounds);
  const ratio = peer === null ? null : ours / peer;
  return { metric, ours, peer, ratio, met: isMet(metric, ratio ?? ours) };
}

function isMet({ target }: Metric, value: number): boolean | null {
  if (target === undefined) return null;
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost;
}

function medianOf([runner, figure]: FigureOf, rounds: Rounds): number {
  const values = (rounds.get(runner) ?? []).map((figures) => figures[figure] ?? NaN);
  const value = median(values);
  if (!Number.isFinite(value))
    throw new Error(`The runner '${runner}' gave no figure '${figure}'.`);
  return value;
}
