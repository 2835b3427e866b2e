import type { JSX } from 'preact';

const WIDTH = 96;
const HEIGHT = 24;

/** How something went over the last samples; the numbers beside it say the rest. */
export function Sparkline(props: { readonly values: readonly number[] }): JSX.Element {
  // One sample is a line, too: nothing has changed yet.
  const values = props.values.length === 1 ? [...props.values, ...props.values] : props.values;
  const top = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = values.map(
    (value, i) =>
      `${(i * step).toFixed(1)},${(HEIGHT - 2 - (value / top) * (HEIGHT - 4)).toFixed(1)}`,
  );
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      {points.length > 1 && (
        <>
          <path class="area" d={`M0,${HEIGHT} L${points.join(' L')} L${WIDTH},${HEIGHT} Z`} />
          <path class="line" d={`M${points.join(' L')}`} />
        </>
      )}
    </svg>
  );
}
