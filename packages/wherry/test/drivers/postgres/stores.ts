import { Pool } from 'pg';
import type { Clock } from '../../../src/core/clock.ts';
import type { Driver } from '../../../src/core/driver.ts';
import { createPostgresDriver } from '../../../src/drivers/postgres/index.ts';
import { applyMigrations } from '../../../src/drivers/postgres/migrations.ts';
import type { SuiteStore } from '../../../src/testing/index.ts';
import { connect } from './fixture.ts';

/** Holds no messages: what it says stays the same. */
const KEPT = ['migration', 'store', 'topology_state'];

/**
 * Schemas of one database, for the stores of a suite. Making one takes longer than a test, and so does
 * a session's first call of each function: schemas are emptied and used again, and so are sessions.
 */
export class TestStores {
  readonly #pool: Pool;
  readonly #url: string;
  readonly #transformSql: ((file: string, sql: string) => string) | undefined;
  readonly #free: string[] = [];
  #made = 0;

  /** @param transformSql changes the SQL of the schemas */
  constructor(url: string, transformSql?: (file: string, sql: string) => string) {
    this.#url = url;
    this.#pool = new Pool({ connectionString: url, max: 20 });
    this.#transformSql = transformSql;
  }

  readonly create = async (clock: Clock): Promise<SuiteStore> => {
    const schema = this.#free.pop() ?? (await this.#makeSchema());
    let driver: Driver;
    return {
      connect: () =>
        (driver = createPostgresDriver({ pool: this.#pool, schema, migrate: false, clock })),
      // All there is of a store is on the server: a client that ends writes nothing more.
      crash: () => driver.close(),
      remove: async () => {
        await this.#empty(schema);
        this.#free.push(schema);
      },
    };
  };

  async #makeSchema(): Promise<string> {
    const schema = `store_${(this.#made += 1)}`;
    const connection = await connect({ url: this.#url, schema });
    await applyMigrations(
      connection,
      this.#transformSql === undefined ? {} : { transformSql: this.#transformSql },
    );
    await connection.close();
    return schema;
  }

  async #empty(schema: string): Promise<void> {
    const { rows } = await this.#pool.query<{ name: string }>(
      'SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 AND tablename <> ALL ($2)',
      [schema, KEPT],
    );
    const all = rows.map(({ name }) => `DELETE FROM "${schema}"."${name}"`);
    await this.#pool.query(all.join(';'));
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}
