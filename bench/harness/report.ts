import type { Result } from './judge.ts';
import type { Metric, Target, Unit } from './benchmark.ts';

/** @returns the line that `--json` prints for a metric with a target */
export function formatJson(bench: string, result: Result & { readonly met: boolean }): string {
  const { metric, ours, peer, ratio, met } = result;
  const target = metric.target === undefined ? null : boundOf(metric.target);
  return JSON.stringify({
    bench,
    metric: metric.name,
    ours: round(ours),
    peer: peer === null ? null : round(peer),
    ratio: ratio === null ? null : round(ratio),
    target,
    met,
  });
}

/** @returns a table for people: one line for each metric */
export function formatTable(results: readonly Result[]): string {
  const head = ['METRIC', 'OURS', 'PEER', 'RATIO', 'TARGET', ''];
  const rows = results.map(({ metric, ours, peer, ratio, met }) => [
    metric.name,
    formatFigure(ours, metric.unit),
    peer === null ? '' : `${formatFigure(peer, metric.unit)}  ${nameOfPeer(metric)}`,
    ratio === null ? '' : formatNumber(ratio),
    formatTarget(metric.target, ratio === null ? metric.unit : null),
    met === null ? '' : met ? 'met' : 'MISSED',
  ]);
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** One runner may measure both sides; then the figure says what the peer is. */
function nameOfPeer({ ours, peer }: Metric): string | undefined {
  return peer?.[0] === ours[0] ? peer[1] : peer?.[0];
}

function formatTarget(target: Target | undefined, unit: Unit | null): string {
  if (target === undefined) return '';
  const bound = unit === null ? formatNumber(boundOf(target)) : formatFigure(boundOf(target), unit);
  return `${'atLeast' in target ? '>=' : '<='} ${bound}`;
}

function boundOf(target: Target): number {
  return 'atLeast' in target ? target.atLeast : target.atMost;
}

function formatFigure(value: number, unit: Unit): string {
  return `${formatNumber(value)} ${unit}`;
}

function formatNumber(value: number): string {
  return round(value).toLocaleString('en-US', { maximumSignificantDigits: 3 });
}

/** More digits than these are noise. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}
