import { decodeTable, encodeTable, type Table } from '../../../protocols/amqp/table.ts';

/** A table as it is kept in the attributes of a definition: JSON has no field types. */
export function packTable(table: Table): string {
  return encodeTable(table).toString('base64');
}

/** @param packed what `packTable` made; anything else is an empty table */
export function unpackTable(packed: unknown): Table {
  return decodeTable(Buffer.from(typeof packed === 'string' ? packed : '', 'base64'));
}

/** What AMQP remembers of a definition, if it is AMQP's. */
export function amqpAttributes(
  attributes: Readonly<Record<string, unknown>> | null | undefined,
): Readonly<Record<string, unknown>> | null {
  const ours = attributes?.['amqp'];
  return typeof ours === 'object' && ours !== null ? (ours as Record<string, unknown>) : null;
}
