import type { Clock } from './core/clock.ts';
import { DurabilitySplit } from './core/durability-split.ts';
import type { Driver } from './core/driver.ts';
import { ValidationError } from './core/errors.ts';
import { show } from './core/limits.ts';
import { installFirst } from './core/optional-package.ts';
import { createMemoryDriver } from './drivers/memory/index.ts';
import { SystemClock } from './system-clock.ts';

/** A scheme of two letters or more: `C:\data` is a folder. */
const SCHEME = /^([a-z][a-z0-9+.-]+):(.*)$/i;
const POSTGRES_SCHEME = /^postgres(ql)?$/;
const BROKER_SCHEME = /^https?$/;
const REDIS_SCHEME = /^rediss?([-+](sentinel|cluster|socket))?$/;

export interface StoreOptions {
  /** Other processes of this machine may have the folder open, too. */
  readonly share?: boolean | undefined;
  /** Lets a program in at a broker. */
  readonly token?: string | undefined;
}

/**
 * Opens the store that a string names, or the driver given. Queues with `durable: false` are held
 * in memory beside it, unless other processes must see them.
 * @throws ValidationError when there is no such kind of store
 */
export async function openStore(
  storage: string | Driver,
  clock: Clock,
  options: StoreOptions = {},
): Promise<Driver> {
  if (typeof storage !== 'string' && typeof storage?.publish !== 'function') {
    throw new ValidationError(`storage is ${show(storage)}; it must be a string or a driver.`);
  }
  const driver =
    typeof storage === 'string' ? await createDriver(storage, clock, options) : storage;
  const store =
    driver.supports.durability === 'none' || driver.supports.shared
      ? driver
      : new DurabilitySplit(driver, createMemoryDriver({ clock }), clock);
  await store.open();
  return store;
}

async function createDriver(
  storage: string,
  clock: Clock,
  { token, share = false }: StoreOptions,
): Promise<Driver> {
  const [, scheme, rest] = SCHEME.exec(storage) ?? [];
  if (token !== undefined && !BROKER_SCHEME.test(scheme ?? '')) {
    throw new ValidationError("token goes with storage 'http://…' or 'https://…' alone.");
  }
  if (scheme === undefined || scheme === 'lmdb' || scheme === 'file') {
    const path = (scheme === undefined ? storage : rest!).replace(/^\/\//, '');
    if (path === '') throw new ValidationError(`storage is '${storage}'; it names no folder.`);
    if (share) {
      const { createSharedFolderDriver } = await import('./shared-folder.ts');
      return createSharedFolderDriver({ path, clock });
    }
    // Loaded when it is used: a program on another store does not pay for it.
    const { createLmdbDriver } = await import('./drivers/lmdb/index.ts');
    return createLmdbDriver({ path, clock });
  }
  if (share) {
    throw new ValidationError(`share goes with a folder alone; storage is '${scheme}:…'.`);
  }
  if (scheme === 'unix' || BROKER_SCHEME.test(scheme)) {
    const { createRemoteDriver } = await import('./drivers/remote/index.ts');
    return createRemoteDriver({ url: storage, token });
  }
  if (scheme === 'memory') return createMemoryDriver({ clock });
  // A server has a clock of its own; one that a test moves goes before it.
  const testClock = clock instanceof SystemClock ? {} : { clock };
  if (REDIS_SCHEME.test(scheme)) {
    const redis = import('./drivers/redis/index.ts').catch(installFirst('ioredis'));
    return (await redis).createRedisDriver({ url: storage, ...testClock });
  }
  if (POSTGRES_SCHEME.test(scheme)) {
    const { createPostgresDriver } = await import('./drivers/postgres/index.ts');
    return createPostgresDriver({ url: storage, ...testClock });
  }
  throw new ValidationError(
    `storage is '${storage}'; this version knows 'memory:', a folder, 'lmdb:DIR', 'redis://…', ` +
      "'redis-sentinel://…', 'redis-cluster://…', 'postgres://…', 'http://…', 'https://…' and 'unix:PATH'.",
  );
}
