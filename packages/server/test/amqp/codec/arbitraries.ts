/** Values of every type that AMQP has, for properties that hold for all of them. */
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import {
  type ArgumentType,
  METHODS,
  type MethodSpec,
  PROPERTIES,
} from '../../../src/protocols/amqp/method-table.ts';
import type { Method } from '../../../src/protocols/amqp/methods.ts';
import type { Properties } from '../../../src/protocols/amqp/properties.ts';
import type { FieldValue, Table } from '../../../src/protocols/amqp/table.ts';

const NESTED_MAX = 4;

export const shortstr: fc.Arbitrary<string> = fc
  .oneof(fc.string({ maxLength: 255 }), fc.string({ unit: 'binary', maxLength: 100 }))
  .filter((text) => Buffer.byteLength(text) <= 255);

export function bytes(maxLength: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
}

function unsigned(bits: number): fc.Arbitrary<number> {
  return fc.maxSafeNat().map((number) => number % 2 ** bits);
}

function signed(bits: number): fc.Arbitrary<number> {
  return unsigned(bits).map((number) => number - 2 ** (bits - 1));
}

function typed<T extends string, V>(
  value: fc.Arbitrary<V>,
  ...types: T[]
): fc.Arbitrary<{ type: T; value: V }> {
  return fc.tuple(fc.constantFrom(...types), value).map(([type, of]) => ({ type, value: of }));
}

const { field } = fc.letrec<{ field: FieldValue; table: Table }>((tie) => ({
  field: fc.oneof(
    { maxDepth: NESTED_MAX, withCrossShrink: true },
    fc.constant({ type: 'V' } as const),
    typed(fc.boolean(), 't'),
    typed(signed(8), 'b'),
    typed(unsigned(8), 'B'),
    typed(signed(16), 's'),
    typed(unsigned(16), 'u'),
    typed(signed(32), 'I'),
    typed(unsigned(32), 'i'),
    typed(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), 'l'),
    typed(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), 'T'),
    typed(fc.float(), 'f'),
    typed(fc.double(), 'd'),
    fc
      .tuple(unsigned(8), unsigned(32))
      .map(([scale, value]) => ({ type: 'D', scale, value }) as const),
    typed(fc.string({ unit: 'binary' }), 'S'),
    typed(
      bytes(40).filter((some) => !isUtf8(some)),
      'S',
    ),
    typed(bytes(300), 'x'),
    typed(fc.array(tie('field'), { maxLength: 5 }), 'A'),
    typed(tie('table'), 'F'),
  ),
  table: tableOfFields(tie('field')),
}));

function tableOfFields(of: fc.Arbitrary<FieldValue>): fc.Arbitrary<Table> {
  return fc.array(fc.tuple(shortstr, of), { maxLength: 6 }).map((fields) => new Map(fields));
}

export const table: fc.Arbitrary<Table> = tableOfFields(field);

const ofType: Record<ArgumentType, fc.Arbitrary<unknown>> = {
  bit: fc.boolean(),
  octet: unsigned(8),
  short: unsigned(16),
  long: unsigned(32),
  longlong: fc.maxSafeNat(),
  timestamp: fc.maxSafeNat(),
  shortstr,
  longstr: bytes(300),
  table,
};

/** All arguments of a method. */
function argumentsOf(spec: MethodSpec): fc.Arbitrary<Record<string, unknown>> {
  const fields = spec.arguments.map(([name, type]) => [name, ofType[type]] as const);
  return fc.record(Object.fromEntries(fields), { noNullPrototype: true });
}

export function methodOf(spec: MethodSpec): fc.Arbitrary<Method> {
  return argumentsOf(spec).map((args) => ({ name: spec.name, args }) as Method);
}

export const method: fc.Arbitrary<Method> = fc
  .constantFrom(...METHODS)
  .chain((spec) => methodOf(spec));

/** Any of the properties, any number of them. */
export const properties: fc.Arbitrary<Properties> = fc.record(
  Object.fromEntries(PROPERTIES.map(([name, type]) => [name, ofType[type]])),
  { requiredKeys: [], noNullPrototype: true },
);

export const channel: fc.Arbitrary<number> = unsigned(16);
