import { isUtf8 } from 'node:buffer';
import { asBuffer, ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { AmqpSyntaxError } from './errors.ts';

/**
 * A value of a table or an array. The letters are those of RabbitMQ, which differ from the
 * specification's (https://www.rabbitmq.com/amqp-0-9-1-errata.html, section 3):
 * t boolean; b, B, s, u, I, i, l integers of 8, 16, 32 and 64 bits, each signed before unsigned;
 * f and d floating point; D decimal, `value` / 10^`scale`; S text; x bytes; A array; T seconds;
 * F table; V nothing.
 */
export type FieldValue =
  | { readonly type: 't'; readonly value: boolean }
  | { readonly type: 'b' | 'B' | 's' | 'u' | 'I' | 'i'; readonly value: number }
  | { readonly type: 'l'; readonly value: bigint }
  | { readonly type: 'f' | 'd'; readonly value: number }
  | { readonly type: 'D'; readonly scale: number; readonly value: number }
  /** A Buffer when the bytes are not UTF-8. */
  | { readonly type: 'S'; readonly value: string | Buffer }
  | { readonly type: 'x'; readonly value: Buffer }
  | { readonly type: 'A'; readonly value: readonly FieldValue[] }
  | { readonly type: 'T'; readonly value: bigint }
  | { readonly type: 'F'; readonly value: Table }
  | { readonly type: 'V' };

/** In the order of the bytes. Of two fields with the same name, the last one wins. */
export type Table = ReadonlyMap<string, FieldValue>;

/** Tables and arrays within each other, the outermost counted. */
const DEPTH_MAX = 32;

const NOTHING: FieldValue = { type: 'V' };
const TRUE: FieldValue = { type: 't', value: true };
const FALSE: FieldValue = { type: 't', value: false };

/**
 * @param bytes fields one after the other, without the length that precedes them in a frame
 * @throws AmqpSyntaxError they are no table, or more than 32 tables and arrays are nested
 */
export function decodeTable(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): Map<string, FieldValue> {
  return readFields(new ByteReader(asBuffer(bytes), start, end), 1);
}

/** Reads a table with its length before it. */
export function readTable(reader: ByteReader): Map<string, FieldValue> {
  return readNested(reader, 1, readFields);
}

/**
 * @returns the fields without a length before them, as `decodeTable` reads them
 * @throws RangeError a value is outside its type, a name too long, the nesting too deep
 */
export function encodeTable(table: Table): Buffer {
  const writer = new ByteWriter();
  writeFields(writer, table, 1);
  return writer.take();
}

/** Writes a table with its length before it. */
export function writeTable(writer: ByteWriter, table: Table): void {
  const start = writer.skipLength();
  writeFields(writer, table, 1);
  writer.setLength(start);
}

function readNested<T>(
  reader: ByteReader,
  depth: number,
  read: (content: ByteReader, depth: number) => T,
): T {
  const length = reader.long();
  const start = reader.skip(length);
  if (depth > DEPTH_MAX) {
    throw new AmqpSyntaxError(`more than ${DEPTH_MAX} tables and arrays are nested`);
  }
  return read(new ByteReader(reader.bytes, start, start + length), depth);
}

function readFields(reader: ByteReader, depth: number): Map<string, FieldValue> {
  const table = new Map<string, FieldValue>();
  while (reader.left > 0) {
    const name = reader.shortstr();
    table.set(name, readValue(reader, depth));
  }
  return table;
}

function readItems(reader: ByteReader, depth: number): FieldValue[] {
  const items: FieldValue[] = [];
  while (reader.left > 0) items.push(readValue(reader, depth));
  return items;
}

function readValue(reader: ByteReader, depth: number): FieldValue {
  const { bytes } = reader;
  const letter = String.fromCharCode(reader.octet());
  switch (letter) {
    case 't':
      return reader.octet() === 0 ? FALSE : TRUE;
    case 'b':
      return { type: letter, value: bytes.readInt8(reader.skip(1)) };
    case 'B':
      return { type: letter, value: reader.octet() };
    case 's':
      return { type: letter, value: bytes.readInt16BE(reader.skip(2)) };
    case 'u':
      return { type: letter, value: reader.short() };
    case 'I':
      return { type: letter, value: bytes.readInt32BE(reader.skip(4)) };
    case 'i':
      return { type: letter, value: reader.long() };
    // RabbitMQ reads the specification's letter for a signed 64-bit integer, but does not write it.
    case 'l':
    case 'L':
      return { type: 'l', value: bytes.readBigInt64BE(reader.skip(8)) };
    case 'f':
      return { type: letter, value: bytes.readFloatBE(reader.skip(4)) };
    case 'd':
      return { type: letter, value: bytes.readDoubleBE(reader.skip(8)) };
    case 'D':
      return { type: letter, scale: reader.octet(), value: reader.long() };
    case 'S':
      return { type: letter, value: textOrBytes(reader.longstr()) };
    case 'x':
      return { type: letter, value: reader.longstr() };
    case 'T':
      return { type: letter, value: bytes.readBigUInt64BE(reader.skip(8)) };
    case 'A':
      return { type: letter, value: readNested(reader, depth + 1, readItems) };
    case 'F':
      return { type: letter, value: readNested(reader, depth + 1, readFields) };
    case 'V':
      return NOTHING;
    default:
      throw new AmqpSyntaxError(`a table has no type '${letter}'`);
  }
}

function textOrBytes(bytes: Buffer): string | Buffer {
  return isUtf8(bytes) ? bytes.toString() : bytes;
}

function checkDepth(depth: number): void {
  if (depth > DEPTH_MAX) {
    throw new RangeError(`at most ${DEPTH_MAX} tables and arrays can be within each other`);
  }
}

function writeFields(writer: ByteWriter, table: Table, depth: number): void {
  checkDepth(depth);
  for (const [name, value] of table) {
    writer.shortstr(name);
    writeValue(writer, value, depth);
  }
}

function writeItems(writer: ByteWriter, items: readonly FieldValue[], depth: number): void {
  checkDepth(depth);
  for (const item of items) writeValue(writer, item, depth);
}

function writeValue(writer: ByteWriter, field: FieldValue, depth: number): void {
  writer.octet(field.type.charCodeAt(0));
  switch (field.type) {
    case 't':
      return writer.octet(field.value ? 1 : 0);
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i':
    case 'f':
    case 'd':
      return writeNumber(writer, field.type, field.value);
    case 'l':
      writer.reserve(8);
      writer.at = writer.bytes.writeBigInt64BE(field.value, writer.at);
      return;
    case 'T':
      writer.reserve(8);
      writer.at = writer.bytes.writeBigUInt64BE(field.value, writer.at);
      return;
    case 'D':
      writer.octet(field.scale);
      return writer.long(field.value);
    case 'S':
    case 'x':
      return writer.longstr(field.value);
    case 'A':
    case 'F': {
      const start = writer.skipLength();
      if (field.type === 'A') writeItems(writer, field.value, depth + 1);
      else writeFields(writer, field.value, depth + 1);
      return writer.setLength(start);
    }
    case 'V':
      return undefined;
  }
}

type NumberType = 'b' | 'B' | 's' | 'u' | 'I' | 'i' | 'f' | 'd';

function writeNumber(writer: ByteWriter, type: NumberType, value: number): void {
  if (type !== 'f' && type !== 'd' && !Number.isInteger(value)) {
    throw new RangeError(`${value} is no integer, which type '${type}' asks for`);
  }
  writer.reserve(8);
  const { bytes, at } = writer;
  // Each refuses what its type does not hold.
  if (type === 'b') writer.at = bytes.writeInt8(value, at);
  else if (type === 'B') writer.at = bytes.writeUInt8(value, at);
  else if (type === 's') writer.at = bytes.writeInt16BE(value, at);
  else if (type === 'u') writer.at = bytes.writeUInt16BE(value, at);
  else if (type === 'I') writer.at = bytes.writeInt32BE(value, at);
  else if (type === 'i') writer.at = bytes.writeUInt32BE(value, at);
  else if (type === 'f') writer.at = bytes.writeFloatBE(value, at);
  else writer.at = bytes.writeDoubleBE(value, at);
}

/**
 * For people and for JSON: integers that no double holds and bytes become text, the latter base64.
 *
 * @returns an object without a prototype, since names come from outside
 */
export function plainTable(table: Table): Record<string, unknown> {
  const plain = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of table) plain[name] = plainValue(value);
  return plain;
}

function plainValue(field: FieldValue): unknown {
  switch (field.type) {
    case 'V':
      return null;
    case 'l':
    case 'T': {
      const number = Number(field.value);
      return Number.isSafeInteger(number) ? number : field.value.toString();
    }
    case 'D':
      return field.value / 10 ** field.scale;
    case 'S':
      return field.value.toString();
    case 'x':
      return field.value.toString('base64');
    case 'A':
      return field.value.map(plainValue);
    case 'F':
      return plainTable(field.value);
    default:
      return field.value;
  }
}

/**
 * @param plain booleans, numbers, bigints, strings, bytes, null, arrays and objects of them; what is
 *   undefined is left out
 * @throws RangeError the nesting is too deep
 * @throws TypeError a value is of another kind
 */
export function tableOf(plain: Readonly<Record<string, unknown>>): Table {
  return tableAt(plain, 1);
}

function tableAt(plain: object, depth: number): Table {
  checkDepth(depth);
  const table = new Map<string, FieldValue>();
  for (const [name, value] of Object.entries(plain)) {
    if (value !== undefined) table.set(name, fieldOf(value, depth));
  }
  return table;
}

function fieldOf(value: unknown, depth: number): FieldValue {
  if (value === null) return NOTHING;
  if (typeof value === 'boolean') return value ? TRUE : FALSE;
  if (typeof value === 'string') return { type: 'S', value };
  if (typeof value === 'number') return numberField(value);
  if (typeof value === 'bigint') return { type: 'l', value };
  if (value instanceof Uint8Array) return { type: 'x', value: asBuffer(value) };
  if (Array.isArray(value)) {
    checkDepth(depth + 1);
    return { type: 'A', value: value.map((item) => fieldOf(item ?? null, depth + 1)) };
  }
  if (typeof value === 'object') return { type: 'F', value: tableAt(value, depth + 1) };
  throw new TypeError(`a table cannot hold a ${typeof value}`);
}

function numberField(value: number): FieldValue {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return { type: 'd', value };
  return value === (value | 0) ? { type: 'I', value } : { type: 'l', value: BigInt(value) };
}

/** The order of the fields does not count, nor the width of integers and floating point numbers. */
export function equalTables(a: Table, b: Table): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || !equalValues(value, other)) return false;
  }
  return true;
}

/** As `equalTables`, of one value. */
export function equalValues(a: FieldValue, b: FieldValue): boolean {
  const kind = kindOf(a);
  if (kind !== kindOf(b)) return false;
  // Of one kind, so the values of both have one shape, which the type system cannot follow.
  if (a.type === 'V') return true;
  if (a.type === 'F') return equalTables(a.value, (b as typeof a).value);
  if (a.type === 'A') return equalItems(a.value, (b as typeof a).value);
  if (a.type === 'S') return Buffer.from(a.value).equals(Buffer.from((b as typeof a).value));
  if (a.type === 'x') return a.value.equals((b as typeof a).value);
  if (a.type === 'D' && a.scale !== (b as typeof a).scale) return false;
  const { value } = b as typeof a;
  return kind === 'integer' ? BigInt(a.value) === BigInt(value) : Object.is(a.value, value);
}

function equalItems(a: readonly FieldValue[], b: readonly FieldValue[]): boolean {
  return a.length === b.length && a.every((item, index) => equalValues(item, b[index]!));
}

/** What values of several types have in common, or the type itself. */
function kindOf({ type }: FieldValue): string {
  if ('bBsuIil'.includes(type)) return 'integer';
  return type === 'f' || type === 'd' ? 'float' : type;
}
