import type { Argument } from './database.ts';

/** The functions of the schema that calls of the driver use. */
export type FunctionName =
  | 'browse'
  | 'counts'
  | 'delete_queue'
  | 'extend'
  | 'get_message'
  | 'move'
  | 'now'
  | 'publish'
  | 'publish_each'
  | 'purge'
  | 'queues_ready'
  | 'release'
  | 'settle'
  | 'settle_in_transaction'
  | 'sweep'
  | 'take'
  | 'take_by_ids';

/** Its arguments' types, and what is read of its result. */
interface SqlFunction {
  readonly types: string;
  readonly columns: string;
}

const MESSAGES = '(messages).*';

/** What receipts are given as: by lease, then by receipt (sql/leases.sql). */
const RECEIPTS = 'int[], int[], bigint[], int[], int[], bigint[], text[]';

const FUNCTIONS: Readonly<Record<FunctionName, SqlFunction>> = {
  now: { types: 'bigint', columns: 'now' },
  publish: {
    types:
      'bigint, int[], bigint[], bigint[], int[], int[], int[], int[], int[], int[], int[], bytea, ' +
      'text[], bigint[], bigint[], bigint[], text[], text[], bigint[], text[], int[], boolean',
    columns: 'publish AS result',
  },
  publish_each: {
    types: 'bigint, jsonb, jsonb, bytea, boolean, boolean',
    columns: 'publish_each AS result',
  },
  take: {
    types: 'bigint, int, int, bigint, text, int, bigint, int, bigint, bigint, bigint, bigint',
    columns: `is_missing, is_unready, retry_in, until, lease_numbers, ${MESSAGES}`,
  },
  take_by_ids: {
    types: 'bigint, int, int, bigint, text, int, bigint, bigint, bigint[], text[]',
    columns: `is_missing, is_unready, retry_in, until, lease_numbers, ${MESSAGES}`,
  },
  settle: { types: `bigint, ${RECEIPTS}`, columns: 'lost, freed' },
  settle_in_transaction: {
    types: `bigint, ${RECEIPTS}`,
    columns: 'settle_in_transaction AS result',
  },
  release: {
    types: `bigint, ${RECEIPTS}, bigint[], int[], int[], boolean[], text[]`,
    columns: 'release AS lost',
  },
  extend: {
    types: 'bigint, int[], bigint[], int[], bigint[], int[], bigint[], text[]',
    columns: 'extend AS lost',
  },
  move: { types: 'bigint, jsonb, jsonb', columns: 'move AS result' },
  sweep: {
    types: 'bigint, int',
    columns: `lease_numbers, places, causes, until, next_in, woken, names, ${MESSAGES}`,
  },
  browse: {
    types: 'int, text, bigint, bigint, int',
    columns: `states, leases, queue_name, ${MESSAGES}`,
  },
  get_message: {
    types: 'int, bigint, text',
    columns: `states, leases, queue_name, ${MESSAGES}`,
  },
  counts: { types: 'int', columns: '*' },
  purge: { types: 'int, int', columns: 'purged, is_done' },
  delete_queue: { types: 'int, boolean', columns: 'deleted, messages' },
  queues_ready: { types: 'bigint, int[]', columns: 'queues_ready AS ready' },
};

/**
 * The statement that calls a function.
 * @param place in a caller's transaction every value is text, for foreign clients write arrays and
 *   bytes each in their own way
 */
export function callText(schema: string, name: FunctionName, place: 'own' | 'transaction'): string {
  const { types, columns } = FUNCTIONS[name];
  const values = types.split(', ').map((type, index) => {
    const value = `$${index + 1}`;
    if (place === 'own') return `${value}::${type}`;
    return type === 'bytea' ? `decode(${value}::text, 'base64')` : `${value}::text::${type}`;
  });
  return `SELECT ${columns} FROM "${schema}".${name}(${values.join(', ')}) AS ${name}`;
}

/** @returns the arguments as such a statement takes them in a caller's transaction */
export function transactionValues(
  _name: FunctionName,
  args: readonly Argument[],
): (string | null)[] {
  return args.map((value) => {
    if (value === null) return null;
    return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value);
  });
}
