/**
 * What other consumers than AMQP clients get of the properties of an AMQP message: a reader that
 * passes over what they have no use for. (Writing, and the whole of it, is the broker's.)
 */
import type { Headers, HeaderValue } from './message.ts';

/** Of the property flags (AMQP 0-9-1, section 4.2.6.1): the first property has the highest bit. */
const CONTENT_TYPE = 0x8000;
const CONTENT_ENCODING = 0x4000;
const HEADERS = 0x2000;
const DELIVERY_MODE = 0x1000;
const PRIORITY = 0x0800;
const CORRELATION_ID = 0x0400;
const REPLY_TO = 0x0200;
const EXPIRATION = 0x0100;
const MESSAGE_ID = 0x0080;

export interface ReadableProperties {
  readonly contentType?: string;
  readonly headers?: Headers;
  readonly correlationId?: string;
  readonly replyTo?: string;
  readonly messageId?: string;
}

/** @returns what is there; what comes after a part that cannot be read is left out */
export function readProperties(properties: Buffer): ReadableProperties {
  return read(properties).found;
}

/** @returns further keys by which it was routed: RabbitMQ's header CC */
export function readCopies(properties: Buffer): readonly string[] {
  return read(properties).copies;
}

function read(properties: Buffer): { found: ReadableProperties; copies: readonly string[] } {
  const found: Record<string, unknown> = {};
  const reader = new Reader(properties);
  try {
    readInto(found, reader);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return { found, copies: reader.copies };
}

function readInto(found: Record<string, unknown>, reader: Reader): void {
  const flags = reader.uint(2);
  if ((flags & CONTENT_TYPE) !== 0) found['contentType'] = reader.short();
  if ((flags & CONTENT_ENCODING) !== 0) reader.short();
  if ((flags & HEADERS) !== 0) found['headers'] = reader.headers();
  if ((flags & DELIVERY_MODE) !== 0) reader.uint(1);
  if ((flags & PRIORITY) !== 0) reader.uint(1);
  if ((flags & CORRELATION_ID) !== 0) found['correlationId'] = reader.short();
  if ((flags & REPLY_TO) !== 0) found['replyTo'] = reader.short();
  if ((flags & EXPIRATION) !== 0) reader.short();
  if ((flags & MESSAGE_ID) !== 0) found['messageId'] = reader.short();
}

/** Bytes of the field types whose length is fixed (RabbitMQ's letters). */
const FIXED: Readonly<Record<string, number>> = {
  t: 1,
  b: 1,
  B: 1,
  s: 2,
  u: 2,
  I: 4,
  i: 4,
  l: 8,
  f: 4,
  d: 8,
  D: 5,
  T: 8,
  V: 0,
};

/** Reads on; past the end it throws a RangeError. */
class Reader {
  /** Of the headers that were read. */
  readonly copies: string[] = [];
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  uint(length: number): number {
    return this.#bytes.readUIntBE(this.skip(length), length);
  }

  short(): string {
    return this.#text(this.uint(1));
  }

  /** @returns where what was passed over begins */
  skip(length: number): number {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw new RangeError('It ends too early.');
    this.#at += length;
    return start;
  }

  /** A field table, without the values that a header cannot have (tables, arrays, bytes …). */
  headers(): Headers {
    const length = this.uint(4);
    const end = this.#at + length;
    const entries: [string, HeaderValue][] = [];
    while (this.#at < end) {
      const name = this.short();
      const type = String.fromCharCode(this.uint(1));
      if (name === 'CC' && type === 'A') this.#readCopies();
      const value = this.#value(type);
      if (value !== undefined) entries.push([name, value]);
    }
    // It defines '__proto__' as a field like any other, which assignment would not.
    return Object.fromEntries(entries);
  }

  #value(type: string): HeaderValue | undefined {
    const fixed = FIXED[type];
    const at = this.skip(fixed ?? this.uint(4));
    const bytes = this.#bytes;
    switch (type) {
      case 't':
        return bytes[at] !== 0;
      case 'b':
        return bytes.readInt8(at);
      case 'B':
        return bytes[at];
      case 's':
        return bytes.readInt16BE(at);
      case 'u':
        return bytes.readUInt16BE(at);
      case 'I':
        return bytes.readInt32BE(at);
      case 'i':
        return bytes.readUInt32BE(at);
      case 'l':
        return Number(bytes.readBigInt64BE(at));
      case 'T':
        return Number(bytes.readBigUInt64BE(at));
      case 'f':
        return finite(bytes.readFloatBE(at));
      case 'd':
        return finite(bytes.readDoubleBE(at));
      case 'V':
        return null;
      case 'S':
        return bytes.toString('utf8', at, this.#at);
      default:
        return undefined;
    }
  }

  /** An array of texts; it is passed over after that like all that no header can be. */
  #readCopies(): void {
    const start = this.#at;
    const length = this.uint(4);
    const end = this.#at + length;
    while (this.#at < end) {
      const copy = this.#value(String.fromCharCode(this.uint(1)));
      if (typeof copy === 'string') this.copies.push(copy);
    }
    this.#at = start;
  }

  #text(length: number): string {
    const at = this.skip(length);
    return this.#bytes.toString('utf8', at, at + length);
  }
}

/** JSON has neither NaN nor infinities. */
function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}
