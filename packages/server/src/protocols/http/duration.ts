import type { Duration } from 'wherry';
import { InvalidRequestError } from './errors.ts';

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * @param value of a field that the duration's schema has checked
 * @param max in milliseconds
 * @returns milliseconds
 * @throws InvalidRequestError
 */
export function durationMs(value: Duration, field: string, max: number): number {
  const [, count, unit] = /^([\d.]+) ?([a-z]+)$/.exec(String(value)) ?? [];
  const ms = typeof value === 'number' ? value : Number(count) * UNITS[unit!]!;
  if (ms <= max) return Math.round(ms);
  const detail = `is ${JSON.stringify(value)}; at most ${max} ms are allowed`;
  throw new InvalidRequestError([{ field, detail }]);
}
