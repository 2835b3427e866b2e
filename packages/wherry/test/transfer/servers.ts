import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/core/clock.ts';
import type { Driver } from '../../src/core/driver.ts';
import { createLmdbDriver } from '../../src/drivers/lmdb/index.ts';
import { createMemoryDriver } from '../../src/drivers/memory/index.ts';
import { createPostgresDriver } from '../../src/drivers/postgres/index.ts';
import { createRedisDriver } from '../../src/drivers/redis/index.ts';
import { type PostgresServer, startPostgres } from '../servers/postgres.ts';
import { type RedisServer, startRedis } from '../servers/redis.ts';

export type StoreKind = 'memory' | 'lmdb' | 'redis' | 'postgres';

/** Real servers, and fresh stores on them. */
export class Servers {
  #redis: RedisServer | null = null;
  #postgres: PostgresServer | null = null;
  #stores = 0;
  readonly #folders: string[] = [];
  readonly #open: Driver[] = [];

  async start(): Promise<void> {
    this.#redis = await startRedis();
    this.#postgres = await startPostgres();
  }

  async stop(): Promise<void> {
    await this.closeStores();
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
    await Promise.all([this.#redis?.stop(), this.#postgres?.stop()]);
  }

  /** Closes what `open` opened. */
  async closeStores(): Promise<void> {
    for (const driver of this.#open.splice(0)) await driver.close();
  }

  /** @returns where an empty store of its own is, as `--store` takes it */
  async url(kind: Exclude<StoreKind, 'memory'>): Promise<string> {
    const number = ++this.#stores;
    if (kind === 'redis') return `${this.#redis!.url}?prefix=store-${number}`;
    if (kind === 'postgres') return this.#postgres!.createDatabase();
    const folder = await mkdtemp(join(tmpdir(), 'wherry-transfer-'));
    this.#folders.push(folder);
    return join(folder, 'store');
  }

  /** @returns an empty store, open, with a clock that the test moves */
  async open(kind: StoreKind, clock: Clock): Promise<Driver> {
    const driver = await this.#create(kind, clock);
    await driver.open();
    this.#open.push(driver);
    return driver;
  }

  async #create(kind: StoreKind, clock: Clock): Promise<Driver> {
    if (kind === 'memory') return createMemoryDriver({ clock });
    const url = await this.url(kind);
    if (kind === 'lmdb') return createLmdbDriver({ path: url, clock });
    if (kind === 'redis') return createRedisDriver({ url, clock });
    return createPostgresDriver({ url, clock });
  }
}
