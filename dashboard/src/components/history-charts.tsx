import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { History, Range } from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import { formatAge, formatCount, formatRate } from '../format.ts';
import { Chart, type Line } from './chart.tsx';

const DEPTH: readonly Line[] = [
  { key: 'ready', label: 'Ready', color: '--ready' },
  { key: 'scheduled', label: 'Scheduled', color: '--scheduled' },
  { key: 'leased', label: 'In flight', color: '--leased' },
];
const RATES: readonly Line[] = [
  { key: 'in', label: 'In', color: '--in' },
  { key: 'out', label: 'Out', color: '--out' },
];
const WAITS: readonly Line[] = [
  { key: 'waitP50', label: 'Half within', color: '--out' },
  { key: 'waitP99', label: '99 % within', color: '--in' },
  { key: 'oldestAge', label: 'Oldest still waiting', color: '--scheduled' },
];
const RANGES: readonly (readonly [Range, string, number])[] = [
  ['minutes', '10 minutes', 5_000],
  ['hours', '3 hours', 30_000],
  ['day', '24 hours', 60_000],
];

/** Depth, rates and how long messages wait, as the broker keeps them. */
export function HistoryCharts({ url }: { readonly url: string }): JSX.Element {
  const [range, setRange] = useState<Range>('minutes');
  const every = RANGES.find(([name]) => name === range)![2];
  const { data, problem } = useResource<History>(`${url}?range=${range}`, every);
  return (
    <section class="history" aria-label="History">
      <div class="segments" role="group" aria-label="Time shown">
        {RANGES.map(([name, label]) => (
          <button
            key={name}
            type="button"
            aria-pressed={range === name}
            onClick={() => setRange(name)}
          >
            {label}
          </button>
        ))}
      </div>
      {problem !== null && <p class="problem">{problem.detail}</p>}
      <div class="charts">
        <Chart title="Messages" history={data} lines={DEPTH} format={formatCount} />
        <Chart title="Rates" history={data} lines={RATES} format={formatRate} />
        <Chart title="Waiting" history={data} lines={WAITS} format={formatAge} />
      </div>
    </section>
  );
}
