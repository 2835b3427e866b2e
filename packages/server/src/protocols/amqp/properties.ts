import { asBuffer, ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { AmqpSyntaxError } from './errors.ts';
import { PROPERTIES, type Properties } from './method-table.ts';
import { readTable, type Table, writeTable } from './table.ts';

export type { Properties };

/** What the broker itself needs to know of every message. */
export interface ScannedProperties {
  readonly priority: number | undefined;
  readonly expiration: string | undefined;
  readonly deliveryMode: number | undefined;
  readonly userId: string | undefined;
  readonly replyTo: string | undefined;
  /** Where `decodeTable` finds the headers in the scanned bytes; both -1 without headers. */
  readonly headersStart: number;
  readonly headersEnd: number;
}

const NO_PROPERTIES: ScannedProperties = {
  priority: undefined,
  expiration: undefined,
  deliveryMode: undefined,
  userId: undefined,
  replyTo: undefined,
  headersStart: -1,
  headersEnd: -1,
};

/** Bit of a flags word: another flags word follows. */
const CONTINUED = 1;
const FIRST_BIT = 15;

function flagOf(name: keyof Properties): number {
  return 1 << (FIRST_BIT - PROPERTIES.findIndex(([property]) => property === name));
}

const HEADERS = flagOf('headers');
const DELIVERY_MODE = flagOf('deliveryMode');
const PRIORITY = flagOf('priority');
const REPLY_TO = flagOf('replyTo');
const EXPIRATION = flagOf('expiration');
const TIMESTAMP = flagOf('timestamp');
const USER_ID = flagOf('userId');
const KNOWN = PROPERTIES.reduce((flags, [name]) => flags | flagOf(name), 0);

/** @throws AmqpSyntaxError a flag is set that no property has */
function readFlags(reader: ByteReader): number {
  const first = reader.short();
  let unknown = first & ~(KNOWN | CONTINUED);
  for (let word = first; (word & CONTINUED) !== 0; unknown |= word & ~CONTINUED) {
    word = reader.short();
  }
  if (unknown !== 0) throw new AmqpSyntaxError('a flag stands for no property of a message');
  return first & KNOWN;
}

/**
 * @param raw flags and values, as a content header ends
 * @param isLenient short strings may be no UTF-8: what is wrong in them becomes U+FFFD
 * @throws AmqpSyntaxError the bytes are not exactly that
 */
export function decodeProperties(raw: Uint8Array, isLenient = false): Properties {
  const reader = new ByteReader(asBuffer(raw));
  const flags = readFlags(reader);
  const properties: Record<string, unknown> = {};
  for (const [index, [name, type]] of PROPERTIES.entries()) {
    if ((flags & (1 << (FIRST_BIT - index))) === 0) continue;
    if (type === 'shortstr') {
      properties[name] = isLenient ? reader.shortBytes().toString() : reader.shortstr();
    } else if (type === 'table') properties[name] = readTable(reader);
    else if (type === 'octet') properties[name] = reader.octet();
    else properties[name] = reader.timestamp();
  }
  reader.finish();
  return properties;
}

/**
 * @returns flags and values, as a content header ends
 * @throws RangeError a value is outside its type
 */
export function encodeProperties(properties: Properties): Buffer {
  const writer = new ByteWriter();
  const present = PROPERTIES.filter(([name]) => properties[name] !== undefined);
  writer.short(present.reduce((flags, [name]) => flags | flagOf(name), 0));
  for (const [name, type] of present) {
    const value = properties[name];
    if (type === 'shortstr') writer.shortstr(value as string);
    else if (type === 'table') writeTable(writer, value as Table);
    else if (type === 'octet') writer.octet(value as number);
    else writer.longlong(value as number);
  }
  return writer.take();
}

/**
 * Reads in one pass what the broker needs, and makes nothing of the rest, which is only walked over.
 *
 * @param raw flags and values, as a content header ends
 * @throws AmqpSyntaxError the bytes are not exactly that
 */
export function scanProperties(raw: Uint8Array): ScannedProperties {
  if (raw.length === 2 && raw[0] === 0 && raw[1] === 0) return NO_PROPERTIES;
  const reader = new ByteReader(asBuffer(raw));
  const flags = readFlags(reader);
  let { priority, expiration, deliveryMode, userId, replyTo, headersStart, headersEnd } =
    NO_PROPERTIES as { -readonly [K in keyof ScannedProperties]: ScannedProperties[K] };
  for (let flag = 1 << FIRST_BIT; flag > CONTINUED; flag >>= 1) {
    if ((flags & flag) === 0) continue;
    if (flag === HEADERS) {
      const length = reader.long();
      headersStart = reader.skip(length);
      headersEnd = reader.at;
    } else if (flag === DELIVERY_MODE) deliveryMode = reader.octet();
    else if (flag === PRIORITY) priority = reader.octet();
    else if (flag === EXPIRATION) expiration = reader.shortstr();
    else if (flag === REPLY_TO) replyTo = reader.shortstr();
    else if (flag === USER_ID) userId = reader.shortstr();
    else reader.skip(flag === TIMESTAMP ? 8 : reader.octet());
  }
  reader.finish();
  return { priority, expiration, deliveryMode, userId, replyTo, headersStart, headersEnd };
}

/** Properties that the broker changes. Null: the message has none any more; left out: as it was. */
export interface ReplacedProperties {
  readonly headers?: Table | null;
  readonly replyTo?: string;
  readonly expiration?: null;
}

/**
 * Replaces some properties of a message and keeps the bytes of every other: also of what a client
 * may say and cannot be said again, as a timestamp above 2^53.
 *
 * @param raw flags and values, as a content header ends
 * @throws AmqpSyntaxError `raw` is not properties
 * @throws RangeError a value is outside its type
 */
export function replaceProperties(raw: Uint8Array, replaced: ReplacedProperties): Buffer {
  const bytes = asBuffer(raw);
  const reader = new ByteReader(bytes);
  const flags = readFlags(reader);
  const writer = new ByteWriter();
  let written = 0;
  writer.short(written);
  for (const [index, [name, type]] of PROPERTIES.entries()) {
    const flag = 1 << (FIRST_BIT - index);
    const start = reader.at;
    if ((flags & flag) !== 0) skipValue(reader, type);
    const value = replaced[name as keyof ReplacedProperties];
    if (value === undefined) writer.raw(bytes.subarray(start, reader.at));
    else if (typeof value === 'string') writer.shortstr(value);
    else if (value !== null) writeTable(writer, value);
    const isThere = value === undefined ? (flags & flag) !== 0 : value !== null;
    if (isThere) written |= flag;
  }
  reader.finish();
  const result = writer.take();
  result.writeUInt16BE(written, 0);
  return result;
}

function skipValue(reader: ByteReader, type: (typeof PROPERTIES)[number][1]): void {
  if (type === 'table') reader.longstr();
  else if (type === 'shortstr') reader.skip(reader.octet());
  else reader.skip(type === 'octet' ? 1 : 8);
}
