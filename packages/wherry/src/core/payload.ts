import type { PayloadEncoding } from './driver.ts';
import { DeserializationError, SerializationError } from './errors.ts';
import { show } from './limits.ts';

/** Deeper values are cyclic, or made to exhaust a reader's stack. */
const DEPTH_MAX = 500;

/** A payload as it is stored. */
export interface EncodedPayload {
  readonly encoding: Exclude<PayloadEncoding, 'amqp'>;
  readonly body: string | Uint8Array;
}

/**
 * Strings and bytes pass untouched; everything else becomes JSON, if JSON can give it back as it is.
 * @throws SerializationError naming the place, when JSON would change or drop a value
 */
export function encodePayload(payload: unknown): EncodedPayload {
  if (typeof payload === 'string') {
    if (!payload.isWellFormed()) {
      throw new SerializationError(
        'The payload is a string with a lone surrogate, which UTF-8 cannot hold. Send it as bytes.',
      );
    }
    return { encoding: 'text', body: payload };
  }
  if (payload instanceof Uint8Array) return { encoding: 'bytes', body: payload };
  checkJson(payload, '', 0);
  return { encoding: 'json', body: JSON.stringify(payload) };
}

/**
 * The payload that was sent.
 * @throws DeserializationError when the stored text is not JSON
 */
export function decodePayload(
  encoding: EncodedPayload['encoding'],
  body: string | Uint8Array,
): unknown {
  if (encoding !== 'json') return body;
  try {
    return JSON.parse(body as string);
  } catch (cause) {
    throw new DeserializationError(
      `The stored payload is not JSON (${show(String(body).slice(0, 60))}).`,
      { cause },
    );
  }
}

/** Refuses what JSON.stringify would silently turn into something else. */
function checkJson(value: unknown, path: string, depth: number): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'number':
      if (Number.isFinite(value)) return;
      throw refusal(value, path, 'JSON has no such number');
    case 'object':
      if (value === null) return;
      if (depth >= DEPTH_MAX) {
        throw refusal('…', path, `it is nested deeper than ${DEPTH_MAX} levels, or in a cycle`);
      }
      if (Array.isArray(value)) checkArray(value, path, depth);
      else checkObject(value, path, depth);
      return;
    case 'bigint':
      throw refusal(value, path, 'JSON has no bigint; send a string or a number');
    case 'undefined':
      throw refusal(value, path, 'JSON has no undefined; send null or leave the field out');
    default:
      throw refusal(value, path, `JSON cannot hold a ${typeof value}`);
  }
}

function checkArray(array: readonly unknown[], path: string, depth: number): void {
  for (let i = 0; i < array.length; i++) checkJson(array[i], `${path}[${i}]`, depth + 1);
}

function checkObject(value: object, path: string, depth: number): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) checkInstance(value, path);
  for (const key of Object.keys(value)) {
    const field = (value as Record<string, unknown>)[key];
    // A field that is undefined is the same as one that is not there, as in TypeScript's optionals.
    if (field === undefined) continue;
    if (typeof field === 'object' || typeof field !== 'string') {
      checkJson(field, path === '' ? key : `${path}.${key}`, depth + 1);
    }
  }
}

/** Class instances pass by their fields, unless their state is not in their fields. */
function checkInstance(value: object, path: string): void {
  if (value instanceof Date) {
    throw refusal(
      value,
      path,
      'a Date would come back as a string; send toISOString() or getTime()',
    );
  }
  if (Object.prototype.toString.call(value) !== '[object Object]') {
    const kind = value.constructor?.name ?? 'object';
    throw refusal(kind, path, `JSON cannot hold a ${kind}; convert it to plain values`);
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') {
    throw refusal(
      value.constructor.name,
      path,
      'it has a toJSON method and would come back as something else; call it yourself',
    );
  }
}

function refusal(value: unknown, path: string, why: string): SerializationError {
  const where = path === '' ? 'The payload' : `payload.${path.replace(/^\./, '')}`;
  return new SerializationError(`${where} is ${show(value)}: ${why}.`);
}
