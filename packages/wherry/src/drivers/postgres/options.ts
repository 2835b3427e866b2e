import type { Clock } from '../../core/clock.ts';
import { ValidationError } from '../../core/errors.ts';
import { checkFields, checkInteger, show } from '../../core/limits.ts';
import type { PostgresPool } from './client.ts';

/** How to reach a store: exactly one of `url` and `pool`. */
export interface PostgresDriverOptions {
  /**
   * `postgres://…` or `postgresql://…`, with whatever parameters `pg` knows, and, for the options
   * below, `wherry_schema`, `wherry_migrate`, `wherry_listen`, `wherry_pool_size` and
   * `wherry_call_timeout`.
   */
  readonly url?: string;
  /**
   * A `Pool` of pg of yours, which stays open when the store is closed. The store keeps one of its
   * connections for notices, unless `listen` is false.
   */
  readonly pool?: PostgresPool;
  /** The schema that holds the store: keeps several systems in one database apart. Default: 'wherry'. */
  readonly schema?: string;
  /** `false`: `open` changes nothing in the database, and fails when migrations are missing. */
  readonly migrate?: boolean;
  /**
   * Whether to LISTEN for what other processes do; otherwise they are asked every second. Default:
   * yes, unless there is a pooler such as PgBouncer in between, which cannot pass notices on.
   */
  readonly listen?: boolean;
  /** Most connections at once, when there is a `url`; one more is for notices. Default: 10. */
  readonly poolSize?: number;
  /** Milliseconds that a call waits at most for a connection, and then for its statement. Default: 10,000. */
  readonly callTimeout?: number;
  /** For tests: the time of messages, instead of the server's. */
  readonly clock?: Clock;
}

/** Options with nothing left open. */
export interface PostgresSettings {
  readonly source: { readonly url: string } | { readonly pool: PostgresPool };
  readonly schema: string;
  readonly migrate: boolean;
  /** null: if it is possible. */
  readonly listen: boolean | null;
  readonly poolSize: number;
  readonly callTimeout: number;
  readonly clock: Clock | null;
}

const FIELDS: readonly (keyof PostgresDriverOptions)[] = [
  'url',
  'pool',
  'schema',
  'migrate',
  'listen',
  'poolSize',
  'callTimeout',
  'clock',
];

/** Left in lower case, so that people can write it in SQL without quotes. */
const SCHEMA_PATTERN = /^[a-z_][a-z0-9_]{0,39}$/;
const POOL_SIZE = { default: 10, max: 1_000 };
const CALL_TIMEOUT_MS = { default: 10_000, min: 100, max: 3_600_000 };

/** @throws ValidationError when an option is wrong, or two contradict each other */
export function readOptions(given: PostgresDriverOptions): PostgresSettings {
  checkFields(given, FIELDS, 'The options of the PostgreSQL store');
  const inUrl = given.url === undefined ? {} : optionsOf(given.url);
  const options = { ...inUrl, ...given, ...(inUrl.url !== undefined && { url: inUrl.url }) };
  const { url, pool, schema = 'wherry', migrate = true, listen = null, clock = null } = options;
  if ((url === undefined) === (pool === undefined)) {
    throw new ValidationError('Give exactly one of url and pool: where the PostgreSQL store is.');
  }
  if (!SCHEMA_PATTERN.test(schema)) {
    throw new ValidationError(
      `schema is ${show(schema)}; it must be 1 to 40 of a-z, 0-9 and _, and not begin with a digit.`,
    );
  }
  const { poolSize = POOL_SIZE.default, callTimeout = CALL_TIMEOUT_MS.default } = options;
  return {
    source: url === undefined ? { pool: pool! } : { url },
    schema,
    migrate,
    listen,
    poolSize: checkInteger(poolSize, 'poolSize', 1, POOL_SIZE.max),
    callTimeout: checkInteger(callTimeout, 'callTimeout', CALL_TIMEOUT_MS.min, CALL_TIMEOUT_MS.max),
    clock,
  };
}

/** Takes our parameters out of a URL. @throws ValidationError when one of them is wrong */
function optionsOf(url: string): PostgresDriverOptions {
  const [address, query = ''] = url.split(/\?(.*)/s, 2) as [string, string?];
  const options: Record<string, unknown> = {};
  const others: string[] = [];
  for (const part of query.split('&')) {
    const [[key, value] = ['', '']] = [...new URLSearchParams(part)];
    if (!key.startsWith('wherry_')) {
      if (part !== '') others.push(part);
      continue;
    }
    const parameter = PARAMETERS[key];
    if (parameter === undefined) {
      const known = Object.keys(PARAMETERS).join(', ');
      throw new ValidationError(`The URL has no parameter '${key}'. It may have: ${known}.`);
    }
    options[parameter.option] = parameter.read(value, key);
  }
  return { ...options, url: others.length > 0 ? `${address}?${others.join('&')}` : address };
}

type Reader = (value: string, key: string) => unknown;

const asText: Reader = (value) => value;
const asNumber: Reader = (value) => (/^\d+$/.test(value) ? Number(value) : value);
const asBoolean: Reader = (value, key) => {
  if (value === 'true' || value === 'false') return value === 'true';
  throw new ValidationError(`${key} is '${value}'; it must be true or false.`);
};

const PARAMETERS: Readonly<
  Record<string, { readonly option: keyof PostgresDriverOptions; readonly read: Reader }>
> = {
  wherry_schema: { option: 'schema', read: asText },
  wherry_migrate: { option: 'migrate', read: asBoolean },
  wherry_listen: { option: 'listen', read: asBoolean },
  wherry_pool_size: { option: 'poolSize', read: asNumber },
  wherry_call_timeout: { option: 'callTimeout', read: asNumber },
};
