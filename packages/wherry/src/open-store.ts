import type { Clock } from './core/clock.ts';
import { DurabilitySplit } from './core/durability-split.ts';
import type { Driver } from './core/driver.ts';
import { ValidationError } from './core/errors.ts';
import { show } from './core/limits.ts';
import { createMemoryDriver } from './drivers/memory/index.ts';

/** A scheme of two letters or more: `C:\data` is a folder. */
const SCHEME = /^([a-z][a-z0-9+.-]+):(.*)$/i;

/**
 * Opens the store that a string names, or the driver given. Queues with `durable: false` are held
 * in memory beside it.
 * @throws ValidationError when there is no such kind of store
 */
export async function openStore(storage: string | Driver, clock: Clock): Promise<Driver> {
  if (typeof storage !== 'string' && typeof storage?.publish !== 'function') {
    throw new ValidationError(`storage is ${show(storage)}; it must be a string or a driver.`);
  }
  const driver = typeof storage === 'string' ? await createDriver(storage, clock) : storage;
  const store =
    driver.supports.durability === 'none'
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
  throw new ValidationError(
    `storage is '${storage}'; this version knows 'memory:', a folder, and 'lmdb:DIR'.`,
  );
}
