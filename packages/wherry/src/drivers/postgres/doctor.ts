import { Connection } from './connection.ts';
import { examineQueues } from './examination.ts';
import { requireMigrations, schemaVersion } from './migrations.ts';
import { type PostgresDriverOptions, readOptions } from './options.ts';
import { type Finding, lookAround, type Surroundings, warningsOf } from './surroundings.ts';

export interface PostgresDoctorOptions extends PostgresDriverOptions {
  /** Mends what can be mended; without it the store is only read. */
  readonly repair?: boolean;
  /** @param messages how many were looked at so far */
  readonly onProgress?: (messages: number) => void;
}

export interface PostgresReport extends Surroundings {
  readonly schema: string;
  /** The number of the schema's last migration. */
  readonly format: number;
  readonly queues: number;
  readonly messages: number;
  /** What contradicts something else in the store; mended ones too. */
  readonly problems: readonly Finding[];
  readonly repaired: number;
  /** What may lose messages, or make the store slow: for people to change. */
  readonly warnings: readonly Finding[];
}

/**
 * Verifies that the parts of a store agree, and looks at the server around it. The store may be in
 * use meanwhile.
 * @throws StorageVersionError when a newer version made it
 * @throws StorageError when there is none, or the server cannot be reached
 */
export async function examinePostgres({
  repair = false,
  onProgress = () => undefined,
  ...options
}: PostgresDoctorOptions): Promise<PostgresReport> {
  const connection = new Connection(readOptions(options));
  await connection.open();
  try {
    await requireMigrations(connection);
    const format = await schemaVersion(connection);
    const surroundings = await lookAround(connection);
    const examined = await examineQueues(connection, { repair, onProgress });
    const warnings = warningsOf(surroundings);
    return { ...surroundings, ...examined, schema: connection.schema, format, warnings };
  } finally {
    await connection.close();
  }
}
