import { readFileSync } from 'node:fs';
import { StorageError, StorageVersionError } from '../../core/errors.ts';
import type { Connection, Query } from './connection.ts';
import { MIGRATIONS, type Migration } from './migration-list.ts';

export interface MigrationOptions {
  /** For tests, which plant bugs: changes the SQL of a file. */
  readonly transformSql?: (file: string, sql: string) => string;
}

/** @returns the number of the last migration that was applied, 0 when there is no schema yet */
export function schemaVersion(connection: Connection): Promise<number> {
  return readVersion(
    (text, values) => connection.query(text, values, { repeatable: true }),
    connection.schema,
  );
}

/**
 * Says which migrations `applyMigrations` would apply. Changes nothing.
 * @throws StorageVersionError when a newer version of Wherry has migrated the schema
 */
export async function pendingMigrations(connection: Connection): Promise<readonly Migration[]> {
  const version = await schemaVersion(connection);
  return MIGRATIONS.filter(({ number }) => number > version);
}

/**
 * Brings the schema up to date, or makes it: all or nothing, and once, whoever else begins it at
 * the same time.
 * @returns what was applied
 * @throws StorageVersionError when a newer version of Wherry has migrated the schema
 */
export async function applyMigrations(
  connection: Connection,
  options: MigrationOptions = {},
): Promise<readonly Migration[]> {
  // An ordinary open needs no right to create anything.
  if ((await pendingMigrations(connection)).length === 0) return [];
  return connection.transaction(async (query) => {
    await query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
      `wherry migrations of ${connection.schema}`,
    ]);
    const version = await readVersion(query, connection.schema);
    // Whoever may not create schemas can be given one.
    const schemas = await query('SELECT FROM pg_namespace WHERE nspname = $1', [connection.schema]);
    if (schemas.length === 0) await query(`CREATE SCHEMA "${connection.schema}"`);
    await query(
      `CREATE TABLE IF NOT EXISTS wherry.migration (
         number int PRIMARY KEY,
         title text NOT NULL,
         applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
       )`,
    );
    const pending = MIGRATIONS.filter(({ number }) => number > version);
    for (const migration of pending) await apply(query, migration, options);
    return pending;
  });
}

/** @throws StorageError when a migration is missing */
export async function requireMigrations(connection: Connection): Promise<void> {
  const [first, ...others] = await pendingMigrations(connection);
  if (first === undefined) return;
  const state = first.number === 1 ? 'does not exist' : `lacks ${others.length + 1} migration(s)`;
  throw new StorageError(
    `The schema '${connection.schema}' ${state}. ` +
      'Run `wherry migrate-store URL`, or open the store with migrate: true.',
    { code: 'STORAGE_MIGRATION' },
  );
}

async function apply(query: Query, migration: Migration, options: MigrationOptions): Promise<void> {
  const { number, title, files } = migration;
  for (const file of files) {
    const sql = readFileSync(new URL(`sql/${file}`, import.meta.url), 'utf8');
    await query(options.transformSql?.(file, sql) ?? sql);
  }
  await query('INSERT INTO wherry.migration (number, title) VALUES ($1, $2)', [number, title]);
}

async function readVersion(query: Query, schema: string): Promise<number> {
  // Not to_regclass, which may answer what it knew before the lock.
  const tables = await query(
    "SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'migration'",
    [schema],
  );
  if (tables.length === 0) return 0;
  const [row] = await query<{ version: number }>(
    'SELECT coalesce(max(number), 0) AS version FROM wherry.migration',
  );
  const known = MIGRATIONS.at(-1)!.number;
  if (row!.version > known) throw new StorageVersionError(schema, row!.version, known);
  return row!.version;
}
