import type { Transaction } from './driver.ts';
import { ValidationError } from './errors.ts';
import { show } from './limits.ts';

/** Any function: who gives one declares it more narrowly than could be said here. */
type Call = (...args: never[]) => unknown;

/**
 * A transaction that the caller has begun, as the libraries for PostgreSQL give it to them: a `pg`
 * client after its BEGIN (or anything else with `query(text, values)`, such as TypeORM's query
 * runner), or what the callback of a transaction gets in postgres.js, Kysely, Drizzle, Knex and
 * Prisma.
 */
export type CallerTransaction =
  | { readonly query: Call }
  | { readonly unsafe: Call }
  | { readonly executeQuery: Call }
  | { readonly execute: Call }
  | { readonly raw: Call }
  | { readonly $queryRawUnsafe: Call };

type Answer = Awaited<ReturnType<Transaction['query']>>;
type Query = Transaction['query'];

/** The methods by which the libraries are told apart; none is imported. */
interface Shapes {
  readonly query?: (text: string, values: unknown[]) => PromiseLike<Answer>;
  readonly unsafe?: (text: string, values: unknown[]) => PromiseLike<Answer>;
  readonly executeQuery?: (query: object) => PromiseLike<Answer>;
  readonly execute?: (query: object) => PromiseLike<Answer>;
  readonly raw?: (text: string, values: unknown[]) => PromiseLike<Answer>;
  readonly $queryRawUnsafe?: (text: string, ...values: unknown[]) => PromiseLike<Answer>;

  readonly withoutPlugins?: () => Shapes;
  readonly session?: unknown;

  // What shows that no transaction has begun.
  readonly totalCount?: unknown;
  readonly getTransactionStatus?: () => string | null;
  readonly begin?: unknown;
  readonly isTransaction?: unknown;
  readonly rollback?: unknown;
  readonly $connect?: unknown;
}

/** How one library runs a statement, and how to see that it is given outside of a transaction. */
interface Library {
  readonly name: string;
  readonly isOne: (tx: Shapes) => boolean;
  readonly isOutside: (tx: Shapes) => boolean;
  readonly query: (tx: Shapes) => Query;
}

/** In this order: some have the methods of others too. */
const LIBRARIES: readonly Library[] = [
  {
    name: 'Prisma',
    isOne: (tx) => isCall(tx.$queryRawUnsafe),
    isOutside: (tx) => tx.$connect !== undefined,
    query: (tx) => async (text, values) => tx.$queryRawUnsafe!(text, ...values),
  },
  {
    name: 'Kysely',
    isOne: (tx) => isCall(tx.executeQuery),
    isOutside: (tx) => tx.isTransaction !== true,
    // A plugin may change what is in the rows.
    query: (tx) => async (text, values) =>
      (tx.withoutPlugins?.() ?? tx).executeQuery!(kyselyQuery(text, values)),
  },
  {
    name: 'postgres.js',
    isOne: (tx) => isCall(tx.unsafe),
    isOutside: (tx) => tx.begin !== undefined,
    query: (tx) => async (text, values) => tx.unsafe!(text, values),
  },
  {
    name: 'Knex',
    isOne: (tx) => isCall(tx.raw),
    isOutside: (tx) => tx.isTransaction !== true,
    query: (tx) => async (text, values) => tx.raw!(...knexStatement(text, values)),
  },
  {
    name: 'Drizzle',
    isOne: (tx) => isCall(tx.execute) && tx.session !== undefined,
    isOutside: (tx) => tx.rollback === undefined,
    query: (tx) => async (text, values) => tx.execute!(drizzleQuery(text, values)),
  },
  {
    name: 'pg',
    isOne: (tx) => isCall(tx.query),
    // A pool gives each statement another connection; a client knows its state since pg 8.17.
    isOutside: (tx) => tx.totalCount !== undefined || tx.getTransactionStatus?.() === 'I',
    query: (tx) => async (text, values) => tx.query!(text, values),
  },
];

/**
 * Recognises the caller's transaction by its shape.
 * @param tx a client or transaction of pg, postgres.js, Kysely, Drizzle, Knex or Prisma
 * @returns what a driver runs its statements with
 * @throws ValidationError when it is none of these, or no transaction has begun in it
 */
export function transactionOf(tx: unknown): Transaction {
  const shapes = (isObject(tx) ? tx : {}) as Shapes;
  const library = LIBRARIES.find(({ isOne }) => isOne(shapes));
  if (library === undefined) {
    throw new ValidationError(
      `tx is ${show(tx)}; it must be a transaction of pg, postgres.js, Kysely, Drizzle, Knex or ` +
        'Prisma, or have a method query(text, values).',
    );
  }
  if (library.isOutside(shapes)) {
    throw new ValidationError(
      `tx is a connection of ${library.name} in which no transaction has begun. Give the client ` +
        'after its BEGIN, or what the callback of the transaction gets.',
    );
  }
  return { query: library.query(shapes) };
}

function isCall(value: unknown): boolean {
  return typeof value === 'function';
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** What Kysely's `CompiledQuery.raw` makes. */
function kyselyQuery(sql: string, parameters: readonly unknown[]): object {
  const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] };
  return { sql, parameters, query, queryId: { queryId: 'wherry' } };
}

/** What Drizzle's `sql` makes, as far as `execute` asks for it. */
function drizzleQuery(sql: string, params: readonly unknown[]): object {
  return { getSQL: () => ({ toQuery: () => ({ sql, params }) }) };
}

/** Knex writes `?` for each value, and `\?` for what is a question mark. */
function knexStatement(text: string, values: readonly unknown[]): [string, unknown[]] {
  const inOrder: unknown[] = [];
  const statement = text.replaceAll('?', String.raw`\?`).replaceAll(/\$(\d+)/g, (_, number) => {
    inOrder.push(values[Number(number) - 1]);
    return '?';
  });
  return [statement, inOrder];
}
