import type { Parser, Statement } from './client.ts';
import { StorageError } from '../../core/errors.ts';

/**
 * How values are read: in every query our own way, for the parsers of `pg` belong to the program
 * around us, which may have changed them. (Always as text: `pg` damages what is binary.)
 */

/** From PostgreSQL's pg_type.dat. */
const OID = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  oid: 26,
  float4: 700,
  float8: 701,
};

const asIs: Parser = (value: string) => value;

const PARSERS: Readonly<Record<number, Parser>> = {
  [OID.bool]: (value: string) => value === 't',
  [OID.bytea]: byteaOf,
  [OID.int2]: Number,
  [OID.int4]: Number,
  [OID.int8]: Number,
  [OID.oid]: Number,
  [OID.float4]: Number,
  [OID.float8]: Number,
};

/** For the `types` of a statement. */
export const TYPES: Statement['types'] = {
  getTypeParser(oid) {
    return PARSERS[oid] ?? asIs;
  },
};

/** The rows of a result, whichever library it is from. */
export function rowsOf(result: unknown): readonly unknown[] {
  if (Array.isArray(result)) return result;
  const rows = (result as { rows?: unknown } | null)?.rows;
  if (Array.isArray(rows)) return rows;
  throw new StorageError(
    'The transaction answered a query with no rows. Its query(text, values) must resolve with ' +
      '{ rows: […] } or with an array of rows.',
  );
}

/** What `bytea_output = hex`, the default, writes; and its older form, `escape`. */
function byteaOf(value: string): Buffer {
  if (value.startsWith(String.raw`\x`)) return Buffer.from(value.slice(2), 'hex');
  const bytes = value.replaceAll(/\\(\\|[0-7]{3})/g, (_, what: string) =>
    what === '\\' ? '\\' : String.fromCodePoint(Number.parseInt(what, 8)),
  );
  return Buffer.from(bytes, 'latin1');
}
