const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Exact up to six digits, `1.2M` beyond. */
export function formatCount(value: number): string {
  return Math.abs(value) < 1_000_000 ? whole.format(value) : compact.format(value);
}

/** Per second. */
export function formatRate(value: number): string {
  if (value === 0) return '0/s';
  if (value < 0.01) return '<0.01/s';
  return `${value < 10 ? precise.format(value) : formatCount(value)}/s`;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** The two largest units: `3 h 20 min`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0 s';
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  const steps = [
    [DAY, 'd'],
    [HOUR, 'h'],
    [MINUTE, 'min'],
    [SECOND, 's'],
  ] as const;
  const first = steps.findIndex(([size]) => ms >= size);
  const [size, unit] = steps[first]!;
  const head = `${Math.floor(ms / size)} ${unit}`;
  const next = steps[first + 1];
  const rest = next === undefined ? 0 : Math.floor((ms % size) / next[0]);
  return rest === 0 ? head : `${head} ${rest} ${next![1]}`;
}

/** The largest unit: `3 h`. */
export function formatAge(ms: number): string {
  return formatDuration(ms).split(' ').slice(0, 2).join(' ');
}

/** As settings take it: `30s`, `1500ms`. */
export function durationInput(ms: number): string {
  for (const [size, unit] of [
    [DAY, 'd'],
    [HOUR, 'h'],
    [MINUTE, 'm'],
    [SECOND, 's'],
  ] as const) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

const timeOfDay = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const dateAndTime = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

/** The time of day today, with the date on other days. */
export function formatTime(at: number, now: number = Date.now()): string {
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  return (isToday ? timeOfDay : dateAndTime).format(at);
}

/** `in 5 min`, `2 h ago`. */
export function formatRelative(at: number, now: number = Date.now()): string {
  const ms = at - now;
  if (Math.abs(ms) < SECOND) return 'now';
  const length = formatAge(Math.abs(ms));
  return ms > 0 ? `in ${length}` : `${length} ago`;
}

/** `1 message`, `2 messages`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}
