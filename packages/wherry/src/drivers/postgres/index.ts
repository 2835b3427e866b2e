import type { Driver } from '../../core/driver.ts';
import { PostgresDriver } from './driver.ts';
import type { PostgresDriverOptions } from './options.ts';

export type { PostgresDriverOptions } from './options.ts';

/**
 * A store in a PostgreSQL database, which many processes share. A call that resolved survives a
 * crash of the server, as far as its settings let it.
 * @throws ValidationError when an option is wrong
 */
export function createPostgresDriver(options: PostgresDriverOptions): Driver {
  return new PostgresDriver(options);
}
