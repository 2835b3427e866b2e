import { InvalidArgumentError } from 'commander';
import { durationToMs } from '../core/duration.ts';
import type { Headers, HeaderValue } from '../core/message.ts';
import type { RateLimitInput } from '../core/queue-settings.ts';

/** Turns an option's text into its value. @throws InvalidArgumentError saying what it must be */
type Parse<Value> = (text: string) => Value;

/** A whole number within bounds. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Parse<number> {
  return (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    const upTo = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`It must be a whole number, ${upTo}.`);
  };
}

/** A number within bounds, with decimals. */
export function decimal(min: number, max: number): Parse<number> {
  return (text) => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
  };
}

/** Milliseconds, or a number with a unit; answered in milliseconds. */
export function duration(text: string): number {
  try {
    return durationToMs(/^\d+$/.test(text) ? Number(text) : text, 'It');
  } catch {
    throw new InvalidArgumentError(
      "It must be milliseconds, or a number with a unit: '500ms', '30s', '5m', '2h', '7d'.",
    );
  }
}

/** A moment in ISO 8601. */
export function moment(text: string): Date {
  const date = new Date(/^\d{4}-\d{2}-\d{2}(T.*)?$/.test(text) ? text : Number.NaN);
  if (!Number.isNaN(date.getTime())) return date;
  throw new InvalidArgumentError("It must be a time such as '2030-01-31' or '2030-01-31T09:00Z'.");
}

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  kb: 2 ** 10,
  mb: 2 ** 20,
  gb: 2 ** 30,
};

/** Bytes, or a number with a unit of 1,024; answered in bytes. */
export function byteCount(text: string): number {
  const match = /^(\d+) ?(|kb|mb|gb)$/i.exec(text);
  const bytes = Number(match?.[1]) * (BYTE_UNITS[match?.[2]?.toLowerCase() ?? ''] ?? Number.NaN);
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new InvalidArgumentError(
    "It must be bytes, or a number with a unit: '64kb', '10mb', '2gb'.",
  );
}

/** So many in a length of time: `100/1s`. */
export function rateLimit(text: string): RateLimitInput {
  const [, max, per] = /^(\d+)\/(.+)$/.exec(text) ?? [];
  if (max === undefined || per === undefined) {
    throw new InvalidArgumentError("It must be a number and a length of time: '100/1s', '5/10m'.");
  }
  return { max: integer(1)(max), per: duration(/^\d/.test(per) ? per : `1${per}`) };
}

/** The word that lifts a bound. It stays a word: commander takes null for a value left out. */
const NONE = 'none';

/** A value that may be left out by a word. */
export type OrNone<Value> = Value | typeof NONE;

/** The word `none`, or what `parse` says. */
export function orNone<Value>(parse: Parse<Value>): Parse<OrNone<Value>> {
  return (text) => (text === NONE ? NONE : parse(text));
}

/** @returns null for the word `none` */
export function noneAsNull<Value>(value: OrNone<Value> | undefined): Value | null | undefined {
  return value === NONE ? null : value;
}

/**
 * `key=value` for a text, `key:=value` for a JSON number, boolean or null; the option may be
 * repeated.
 */
export function headers(given: string, previous: Headers = {}): Headers {
  const match = /^([^=]+?)(:?=)(.*)$/s.exec(given);
  if (match === null) {
    throw new InvalidArgumentError(
      'It must be key=value, or key:=5 for a number, true, false, null.',
    );
  }
  const [, key = '', operator, value = ''] = match;
  return Object.fromEntries<HeaderValue>([
    ...Object.entries(previous),
    [key, operator === '=' ? value : jsonScalar(value)],
  ]);
}

function jsonScalar(text: string): HeaderValue {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'string') return value;
  throw new InvalidArgumentError(`After ':=' must come a number, true, false, null or "text".`);
}
