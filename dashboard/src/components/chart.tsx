import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { History } from '../api/types.ts';
import { formatTime } from '../format.ts';
import { isDark } from '../theme.ts';

export interface Line {
  /** In the history's series. */
  readonly key: string;
  readonly label: string;
  /** A custom property of the style sheet: `--ready`. */
  readonly color: string;
}

export interface ChartProps {
  readonly title: string;
  readonly history: History | null;
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
}

const HEIGHT = 190;
/** Of a chart whose broker has not run for long. */
const SAMPLES_MIN = 24;
const FONT = '11px system-ui, sans-serif';

/** Lines over time, with the values under the pointer (or the latest) in words above them. */
export function Chart({ title, history, lines, format }: ChartProps): JSX.Element {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [index, setIndex] = useState<number | null>(null);
  const data = dataOf(history, lines);
  const darkness = isDark.value;
  useEffect(() => {
    const element = holder.current!;
    const made = new uPlot(optionsOf(element, lines, format, setIndex), data, element);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [darkness, title]);
  useEffect(() => plot.current?.setData(data), [history]);
  const at = index ?? lastKnown(data);
  const values = lines.map((line, i) => ({ ...line, value: data[i + 1]?.[at] ?? null }));
  const spoken = values.map(
    ({ label, value }) => `${label} ${value === null ? '–' : format(value)}`,
  );
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <span class="chart-time">{index === null ? 'now' : formatTime(data[0][at]! * 1_000)}</span>
        <ul class="legend">
          {values.map(({ key, label, color, value }) => (
            <li key={key}>
              <span class="swatch" style={{ background: `var(${color})` }} />
              {label} <strong>{value === null ? '–' : format(value)}</strong>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={holder} class="plot" role="img" aria-label={`${title}: ${spoken.join(', ')}`} />
    </figure>
  );
}

/** Seconds only where ticks are closer than a minute. */
function formatTicks(
  _plot: uPlot,
  ticks: number[],
  _axis: number,
  _space: number,
  step: number,
): string[] {
  const format = new Intl.DateTimeFormat('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    ...(step < 60 && { second: '2-digit' }),
  });
  return ticks.map((tick) => format.format(tick * 1_000));
}

type Data = [number[], ...(number | null)[][]];

function dataOf(history: History | null, lines: readonly Line[]): Data {
  if (history === null) return [[], ...lines.map(() => [])];
  const { from, step, series } = history;
  const length = Math.max(0, ...lines.map(({ key }) => series[key]?.length ?? 0));
  const columns = lines.map(({ key }) => series[key] ?? []);
  // A broker that has just begun would show an empty page with something at its edge.
  const known = columns.map((column) => column.findIndex((value) => value !== null));
  const first = Math.min(Math.max(0, ...known), Math.max(0, length - SAMPLES_MIN));
  const times = Array.from({ length }, (_, i) => (from + i * step) / 1_000);
  return [times.slice(first), ...columns.map((column) => column.slice(first))];
}

/** The present step has no value until the broker looks. */
function lastKnown([times, ...columns]: Data): number {
  const isKnown = (_time: number, i: number): boolean =>
    columns.some((column) => typeof column[i] === 'number');
  return times.findLastIndex(isKnown);
}

function optionsOf(
  element: HTMLElement,
  lines: readonly Line[],
  format: (value: number) => string,
  onIndex: (index: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color('--ink-3'),
    font: FONT,
    ticks: { show: false },
    grid: { stroke: color('--line'), width: 1 },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [8, 26, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 0) * 1.1)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 26, space: 70, values: formatTicks },
      { ...axis, size: 52, space: 40, values: (_plot, ticks) => ticks.map(format) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        fill: `${color(line.color)}1f`,
        width: 1.75,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [(plot) => onIndex(plot.cursor.idx ?? null)] },
  };
}
