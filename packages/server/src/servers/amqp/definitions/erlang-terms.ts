import type { FieldValue, Table } from '../../../protocols/amqp/table.ts';

/** RabbitMQ's names of the field types, which its error texts say. */
const TYPE_NAMES: Readonly<Record<FieldValue['type'], string>> = {
  t: 'bool',
  b: 'byte',
  B: 'unsignedbyte',
  s: 'short',
  u: 'unsignedshort',
  I: 'signedint',
  i: 'unsignedint',
  l: 'long',
  f: 'float',
  d: 'double',
  D: 'decimal',
  S: 'longstr',
  x: 'binary',
  A: 'array',
  T: 'timestamp',
  F: 'table',
  V: 'void',
};

export function typeName({ type }: FieldValue): string {
  return TYPE_NAMES[type];
}

/** A value as RabbitMQ shows it in a text: strings as they are, all else as an Erlang term. */
export function valueText(field: FieldValue): string {
  return field.type === 'S' || field.type === 'x' ? field.value.toString() : termText(field);
}

/** A value as an Erlang term, in which strings are binaries: `<<"a">>`. */
export function termText(field: FieldValue): string {
  switch (field.type) {
    case 'S':
    case 'x':
      return binaryText(field.value.toString());
    case 'V':
      return 'undefined';
    case 'D':
      return `{${field.scale},${field.value}}`;
    case 'f':
    case 'd':
      return Number.isInteger(field.value) ? field.value.toFixed(1) : String(field.value);
    case 'A':
      return `[${field.value.map((item) => `{${typeName(item)},${termText(item)}}`).join(',')}]`;
    case 'F':
      return tableText(field.value);
    default:
      return String(field.value);
  }
}

function tableText(table: Table): string {
  const fields = [...table].map(
    ([name, value]) => `{${binaryText(name)},${typeName(value)},${termText(value)}}`,
  );
  return `[${fields.join(',')}]`;
}

function binaryText(text: string): string {
  return `<<${JSON.stringify(text)}>>`;
}
