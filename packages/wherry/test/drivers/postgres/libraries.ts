/** The libraries by which people hold a transaction of PostgreSQL, each with its usual way to begin one. */
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres';
import { drizzle as drizzleOnPostgresJs } from 'drizzle-orm/postgres-js';
import knex from 'knex';
import { CamelCasePlugin, Kysely, ParseJSONResultsPlugin, PostgresDialect } from 'kysely';
import pg from 'pg';
import postgres from 'postgres';
import type { CallerTransaction } from '../../../src/core/transaction.ts';
import { openPrisma } from './prisma.ts';

/** A library connected to a database. */
export interface Opened {
  /** Runs `work` in a transaction, which it commits, or rolls back when `work` rejects. */
  transaction(work: (tx: CallerTransaction) => Promise<void>): Promise<void>;
  /** What looks like a transaction and is none. */
  readonly outside: unknown;
  close(): Promise<void>;
}

export const LIBRARIES: Readonly<Record<string, (url: string) => Opened>> = {
  pg: (url) => {
    const pool = new pg.Pool({ connectionString: url });
    return {
      transaction: async (work) => {
        const client = await pool.connect();
        await client.query('BEGIN');
        try {
          await work(client);
          await client.query('COMMIT');
        } catch (error) {
          await client.query('ROLLBACK');
          throw error;
        } finally {
          client.release();
        }
      },
      outside: pool,
      close: () => pool.end(),
    };
  },
  'postgres.js': (url) => {
    const sql = postgres(url, { onnotice: () => undefined });
    return {
      transaction: async (work) => {
        await sql.begin((tx) => work(tx));
      },
      outside: sql,
      close: () => sql.end(),
    };
  },
  Kysely: (url) => {
    const pool = new pg.Pool({ connectionString: url });
    // Both plugins change rows: ours must not pass through them.
    const plugins = [new CamelCasePlugin(), new ParseJSONResultsPlugin()];
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }), plugins });
    return {
      transaction: (work) => db.transaction().execute((tx) => work(tx)),
      outside: db,
      close: () => db.destroy(),
    };
  },
  'Drizzle on pg': (url) => {
    const pool = new pg.Pool({ connectionString: url });
    const db = drizzleOnPg(pool);
    return {
      transaction: (work) => db.transaction((tx) => work(tx)),
      outside: db,
      close: () => pool.end(),
    };
  },
  'Drizzle on postgres.js': (url) => {
    const sql = postgres(url, { onnotice: () => undefined });
    const db = drizzleOnPostgresJs(sql);
    return {
      transaction: (work) => db.transaction((tx) => work(tx)),
      outside: db,
      close: () => sql.end(),
    };
  },
  Knex: (url) => {
    const db = knex({ client: 'pg', connection: url });
    return {
      transaction: (work) => db.transaction((trx) => work(trx)),
      outside: db,
      close: () => db.destroy(),
    };
  },
  Prisma: (url) => {
    const db = openPrisma(url);
    return {
      transaction: (work) => db.$transaction((tx) => work(tx)),
      outside: db,
      close: () => db.$disconnect(),
    };
  },
};
