import { ValidationError } from './errors.ts';
import { show } from './limits.ts';

/** Milliseconds, or a number with a unit: `'500ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. */
export type Duration = number | string;

const UNITS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A hundred years: whatever is longer was a slip of units. */
const DURATION_MAX: number = 100 * 365.25 * 86_400_000;

/**
 * Normalises a duration to milliseconds. Called once, at the edge.
 * @param value milliseconds or a string with a unit
 * @param field the option's name, for the error
 * @param min the least it may be, in milliseconds
 * @returns whole milliseconds, `min` to {@link DURATION_MAX}
 * @throws ValidationError when it is not a duration, too short or beyond the maximum
 */
export function durationToMs(value: Duration, field: string, min = 0): number {
  const ms = typeof value === 'number' ? value : parseDuration(value);
  if (!(ms >= min) || ms > DURATION_MAX) {
    throw new ValidationError(
      `${field} is ${show(value)}; it must be milliseconds from ${min} to ` +
        `${DURATION_MAX}, or a string such as '500ms', '30s', '5m', '2h' or '7d'.`,
    );
  }
  return Math.round(ms);
}

function parseDuration(text: unknown): number {
  if (typeof text !== 'string') return Number.NaN;
  const match = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)$/.exec(text);
  return match === null ? Number.NaN : Number(match[1]) * UNITS[match[2] as string]!;
}
