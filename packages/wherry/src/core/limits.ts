import { ValidationError } from './errors.ts';

/** Everything that can grow has a limit. All can be set at `open`. */
export interface Limits {
  /** Most bytes of one payload, as stored. */
  readonly payloadBytes: number;
  /** Most headers of one message. */
  readonly headerCount: number;
  /** Most bytes of one message's headers and properties together, as JSON. */
  readonly headerBytes: number;
  /** Most messages in one batch. */
  readonly batchSize: number;
  /** Most messages one consumer holds, waiting and running. */
  readonly inFlightPerConsumer: number;
  /** Most characters of an error message and of a stack kept with a death. */
  readonly errorLength: number;
  readonly stackLength: number;
}

export const DEFAULT_LIMITS: Limits = {
  payloadBytes: 16 * 1024 * 1024,
  headerCount: 128,
  headerBytes: 64 * 1024,
  batchSize: 10_000,
  inFlightPerConsumer: 20_000,
  errorLength: 1_000,
  stackLength: 4_000,
};

/** A lease shorter than a commit takes would end before its holder has it. */
export const LEASE_MIN_MS = 10;

/** Bytes of a name, group or deduplication id (AMQP's short string allows no more). */
const NAME_BYTES_MAX = 255;

// oxlint-disable-next-line no-control-regex -- control characters are just what a name must not hold
const NAME_FORBIDDEN = /[\u0000-\u001f\u007f]|^\s|\s$/;

/**
 * Checks a name given by the caller: a queue, a producer, a group …
 * @returns the name
 * @throws ValidationError when it is empty, too long, or holds control characters or outer spaces
 */
export function checkName(name: unknown, what: string): string {
  if (typeof name !== 'string' || name === '') {
    throw new ValidationError(`${what} is ${show(name)}; it must be a non-empty string.`);
  }
  const bytes = utf8Length(name);
  if (bytes > NAME_BYTES_MAX) {
    throw new ValidationError(
      `${what} is ${bytes} bytes long (${show(name.slice(0, 40))}…); at most ${NAME_BYTES_MAX} are allowed.`,
    );
  }
  if (NAME_FORBIDDEN.test(name) || !name.isWellFormed()) {
    throw new ValidationError(
      `${what} is ${show(name)}; control characters, broken surrogates and outer spaces are not allowed.`,
    );
  }
  return name;
}

/**
 * Refuses fields that nobody reads: mostly a slip of the keyboard, whose effect would be missed.
 * @throws ValidationError naming the field and those there are
 */
export function checkFields(value: unknown, known: readonly string[], what: string): void {
  if (typeof value !== 'object' || value === null) {
    throw new ValidationError(`${what} is ${show(value)}; it must be an object.`);
  }
  for (const field of Object.keys(value)) {
    if (!known.includes(field)) {
      throw new ValidationError(
        `${what} has no field '${field}'. It may have: ${known.join(', ')}.`,
      );
    }
  }
}

/** Checks a whole number within bounds. @returns the number @throws ValidationError */
export function checkInteger(value: unknown, what: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new ValidationError(
      `${what} is ${show(value)}; it must be a whole number from ${min} to ${max}.`,
    );
  }
  return value;
}

/** A value as an error message can show it. */
export function show(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  // JSON has no NaN and no Infinity.
  if (['function', 'symbol', 'number'].includes(typeof value)) return String(value);
  try {
    const text = JSON.stringify(value) ?? String(value);
    return text.length > 100 ? `${text.slice(0, 100)}…` : text;
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** Bytes of a string in UTF-8. */
export function utf8Length(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
