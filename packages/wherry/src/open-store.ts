import type { Clock } from './core/clock.ts';
import { DurabilitySplit } from './core/durability-split.ts';
import type { Driver } from './core/driver.ts';
import { StorageError, ValidationError } from './core/errors.ts';
import { show } from './core/limits.ts';
import { createMemoryDriver } from './drivers/memory/index.ts';
import { SystemClock } from './system-clock.ts';

/** A scheme of two letters or more: `C:\data` is a folder. */
const SCHEME = /^([a-z][a-z0-9+.-]+):(.*)$/i;
const POSTGRES_SCHEME = /^postgres(ql)?$/;
const REDIS_SCHEME = /^rediss?([-+](sentinel|cluster|socket))?$/;

/**
 * Opens the store that a string names, or the driver given. Queues with `durable: false` are held
 * in memory beside it, unless other processes must see them.
 * @throws ValidationError when there is no such kind of store
 */
export async function openStore(storage: string | Driver, clock: Clock): Promise<Driver> {
  if (typeof storage !== 'string' && typeof storage?.publish !== 'function') {
    throw new ValidationError(`storage is ${show(storage)}; it must be a string or a driver.`);
  }
  const driver = typeof storage === 'string' ? await createDriver(storage, clock) : storage;
  const store =
    driver.supports.durability === 'none' || driver.supports.shared
      ? driver
      : new DurabilitySplit(driver, createMemoryDriver({ clock }), clock);
  await store.open();
  return store;
}

async function createDriver(storage: string, clock: Clock): Promise<Driver> {
  const [, scheme, rest] = SCHEME.exec(storage) ?? [];
  if (scheme === undefined || scheme === 'lmdb' || scheme === 'file') {
    const path = (scheme === undefined ? storage : rest!).replace(/^\/\//, '');
    if (path === '') throw new ValidationError(`storage is '${storage}'; it names no folder.`);
    // Loaded when it is used: a program on another store does not pay for it.
    const { createLmdbDriver } = await import('./drivers/lmdb/index.ts');
    return createLmdbDriver({ path, clock });
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
      "'redis-sentinel://…', 'redis-cluster://…' and 'postgres://…'.",
  );
}

/** A server's client library comes with those programs only that need it. */
function installFirst(library: string): (error: unknown) => never {
  return (error) => {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(`'${library}'`)) throw error;
    throw new StorageError(`This store needs the package ${library}: npm install ${library}`, {
      code: 'STORAGE_OPEN',
      cause: error,
    });
  };
}
