const SECOND = 1_000;
const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400 * SECOND],
  ['h', 3_600 * SECOND],
  ['m', 60 * SECOND],
  ['s', SECOND],
];

/** @param ms milliseconds @returns `'850ms'`, `'12s'`, `'3.5h'`; `'-'` for null */
export function formatDuration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '-';
  const unit = UNITS.find(([, size]) => ms >= size);
  return unit === undefined ? `${Math.round(ms)}ms` : `${short(ms / unit[1])}${unit[0]}`;
}

/** @param ms milliseconds, from a second on @returns `'90s'`, `'2h'`: exact, as one would write it */
export function exactDuration(ms: number): string {
  const unit = UNITS.find(([, size]) => ms % size === 0);
  return unit === undefined ? `${ms}ms` : `${ms / unit[1]}${unit[0]}`;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** @returns `'512 B'`, `'1.5 MiB'` */
export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), BYTE_UNITS.length - 1);
  return `${short(bytes / 1_024 ** power)} ${BYTE_UNITS[power] ?? 'B'}`;
}

/** @param time a Date, or milliseconds since 1970 */
export function formatTime(time: Date | number | null | undefined): string {
  return time === null || time === undefined ? '-' : new Date(time).toISOString();
}

/** @returns `'1 message'`, `'2,000 messages'` */
export function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}

function short(value: number): string {
  return value >= 10 ? String(Math.round(value)) : String(Math.round(value * 10) / 10);
}
