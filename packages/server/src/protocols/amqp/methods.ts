import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { AmqpError, AmqpSyntaxError, type MethodIds, UnknownMethodError } from './errors.ts';
import {
  type ArgumentType,
  type MethodArguments,
  type MethodName,
  METHODS,
  type MethodSpec,
} from './method-table.ts';
import { readTable, type Table, writeTable } from './table.ts';

export type { MethodArguments, MethodName };

export type Method = {
  [N in MethodName]: { readonly name: N; readonly args: MethodArguments[N] };
}[MethodName];

const byId = new Map(METHODS.map((spec) => [spec.id, spec]));
const byName = new Map(METHODS.map((spec) => [spec.name, spec]));

const NO_FIELDS: Table = new Map();
const PUBLISH = byName.get('basic.publish')!.id;
const ACK = byName.get('basic.ack')!.id;

/** @returns the numbers that channel.close and connection.close name a failed method by */
export function methodIds(name: MethodName): MethodIds {
  return splitId(byName.get(name)!.id);
}

/** @returns whether a content header and a body follow the method */
export function hasContent(name: MethodName): boolean {
  return byName.get(name)!.hasContent;
}

/**
 * @param payload of a method frame; long strings of the result are views of it
 * @throws UnknownMethodError no method has the number
 * @throws AmqpSyntaxError the arguments are not exactly those of the method
 */
export function decodeMethod(payload: Buffer): Method {
  const reader = new ByteReader(payload);
  const id = reader.long();
  const spec = byId.get(id);
  if (spec === undefined) throw new UnknownMethodError(splitId(id));
  try {
    const method = decodeFrequent(id, reader) ?? {
      name: spec.name,
      args: readArguments(reader, spec),
    };
    reader.finish();
    return method as Method;
  } catch (error) {
    if (!(error instanceof AmqpError)) throw error;
    const explanation = `${spec.name}: ${error.explanation}`;
    throw new AmqpSyntaxError(explanation, { method: splitId(id), cause: error });
  }
}

/** The methods that come with every message, without the detour by the table. */
function decodeFrequent(id: number, reader: ByteReader): Method | null {
  if (id === PUBLISH) {
    const ticket = reader.short();
    const exchange = reader.shortstr();
    const routingKey = reader.shortstr();
    const bits = reader.octet();
    const mandatory = (bits & 1) !== 0;
    const immediate = (bits & 2) !== 0;
    const args = { ticket, exchange, routingKey, mandatory, immediate };
    return { name: 'basic.publish', args };
  }
  if (id === ACK) {
    const deliveryTag = reader.longlong();
    return { name: 'basic.ack', args: { deliveryTag, multiple: (reader.octet() & 1) !== 0 } };
  }
  return null;
}

function readArguments(reader: ByteReader, spec: MethodSpec): Record<string, unknown> {
  const args: Record<string, unknown> = {};
  let bits = 0;
  let bit = 0;
  for (const [name, type] of spec.arguments) {
    if (type === 'bit') {
      // Neighbours share an octet, the first in the lowest bit. No method has more than eight.
      if (bit === 0) bits = reader.octet();
      args[name] = ((bits >> bit) & 1) === 1;
      bit += 1;
    } else {
      bit = 0;
      args[name] = readArgument(reader, type);
    }
  }
  return args;
}

function readArgument(reader: ByteReader, type: Exclude<ArgumentType, 'bit'>): unknown {
  return type === 'table' ? readTable(reader) : reader[type]();
}

/**
 * @param args what is left out takes the default of the specification
 * @returns the payload of a method frame
 * @throws RangeError a value is outside its type
 */
export function encodeMethod<N extends MethodName>(
  name: N,
  args: Partial<MethodArguments[N]>,
): Buffer {
  const writer = new ByteWriter();
  writeMethod(writer, name, args);
  return writer.take();
}

/** Writes what `encodeMethod` returns. */
export function writeMethod<N extends MethodName>(
  writer: ByteWriter,
  name: N,
  args: Partial<MethodArguments[N]>,
): void {
  const spec = byName.get(name)!;
  writer.long(spec.id);
  let bits = 0;
  let bit = 0;
  for (const [argument, type, initial] of spec.arguments) {
    const value = (args as Record<string, unknown>)[argument] ?? initial;
    if (type === 'bit') {
      bits |= (value === true ? 1 : 0) << bit;
      bit += 1;
    } else {
      if (bit > 0) writer.octet(bits);
      bits = bit = 0;
      writeArgument(writer, type, value);
    }
  }
  if (bit > 0) writer.octet(bits);
}

function writeArgument(
  writer: ByteWriter,
  type: Exclude<ArgumentType, 'bit'>,
  value: unknown,
): void {
  if (type === 'table') writeTable(writer, value === '' ? NO_FIELDS : (value as Table));
  else if (type === 'shortstr') writer.shortstr(value as string);
  else if (type === 'longstr') writer.longstr(value as string | Buffer);
  else writer[type === 'timestamp' ? 'longlong' : type](value as number);
}

function splitId(id: number): MethodIds {
  return { classId: id >>> 16, methodId: id & 0xffff };
}
