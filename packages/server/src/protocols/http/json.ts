import { isUtf8 } from 'node:buffer';
import { MessageQueueError } from 'wherry';

/** A payload may be 500 levels deep; around it are the message, the list and the body. */
const JSON_DEPTH_MAX = 510;

/** The body cannot be read as JSON, or should not be. */
class InvalidJsonError extends MessageQueueError {
  constructor(message: string) {
    super('INVALID_JSON', message);
  }
}

/** Without one of these in the text there is no key that could harm. */
const SUSPICIOUS = /__proto__|constructor|\\u/;

/**
 * Reads a JSON text, unless it is made to harm: too deep, or with keys that would change prototypes
 * where they are copied (`__proto__`, `constructor.prototype`).
 * @returns undefined for an empty text
 * @throws InvalidJsonError
 */
export function parseJson(bytes: Buffer, what = 'The body'): unknown {
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) throw new InvalidJsonError(`${what} is not UTF-8.`);
  checkJsonDepth(bytes);
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InvalidJsonError(`${what} is not JSON: ${reasonOf(cause as Error)}.`);
  }
  if (SUSPICIOUS.test(text)) refuseHarm(value, what);
  return value;
}

/** What is wrong, without the piece of the text that V8 quotes: it may be a password. */
function reasonOf({ message }: Error): string {
  return message.replace(/, (?:\.{3})?"[^]*$/, '');
}

function refuseHarm(value: unknown, what: string): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, field] of Object.entries(value)) {
    const isHarm =
      key === '__proto__' ||
      (key === 'constructor' && Object.hasOwn(Object(field) as object, 'prototype'));
    if (isHarm) {
      throw new InvalidJsonError(
        `${what} has a field '${key}' that could change prototypes. Send such data as text or bytes.`,
      );
    }
    refuseHarm(field, what);
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Looks how deep a text is nested before it is parsed: a deep value costs a stack wherever it goes.
 * @param text UTF-8
 * @throws InvalidJsonError
 */
function checkJsonDepth(text: Uint8Array): void {
  // As many levels need as many brackets on both sides.
  if (text.length < 2 * JSON_DEPTH_MAX) return;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at];
    if (byte === QUOTE) at = endOfString(text, at);
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      if (++depth > JSON_DEPTH_MAX) {
        throw new InvalidJsonError(`The JSON is nested deeper than ${JSON_DEPTH_MAX} levels.`);
      }
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth--;
  }
}

/** Where the string that begins at `at` has its closing quote. */
function endOfString(text: Uint8Array, at: number): number {
  for (let end = at + 1; end < text.length; end++) {
    const byte = text[end];
    if (byte === BACKSLASH) end++;
    else if (byte === QUOTE) return end;
  }
  return text.length;
}
