import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Driver, MessageQueueSystem } from '../index.ts';
import { StoreNotFoundError } from './errors.ts';
import type { CliIo, Invocation } from './invocation.ts';

/** Two letters at least: `C:\queues` is a folder. */
const SCHEME = /^([a-z][a-z0-9+.-]+):(?:\/\/)?/i;
/** A broker's: over it, the commands do what they do on a store of their own. */
const BROKER_SCHEME = /^https?$/;
const FOLDER_SCHEMES: ReadonlySet<string> = new Set(['lmdb', 'file']);

/** What a store in a folder always holds, once it is one. */
const DATA_FILE = 'data.mdb';

/** @returns the folder that `--store` means, or null when it names no folder */
export function storeDirectory(storeUrl: string): string | null {
  const [prefix = '', scheme] = SCHEME.exec(storeUrl) ?? [];
  if (scheme === undefined) return storeUrl;
  return FOLDER_SCHEMES.has(scheme) ? storeUrl.slice(prefix.length) : null;
}

/** @returns the scheme of a URL in lower case, or null for a folder */
export function storeScheme(storeUrl: string): string | null {
  return SCHEME.exec(storeUrl)?.[1]?.toLowerCase() ?? null;
}

/** @throws StoreNotFoundError when the URL means a folder that holds no store */
export function requireStore(storeUrl: string): void {
  const directory = storeDirectory(storeUrl);
  if (directory !== null && !existsSync(join(directory, DATA_FILE))) {
    throw new StoreNotFoundError(directory);
  }
}

/**
 * What the library opens for a store's URL. A broker's token comes from the environment: what stands
 * on a command line can be seen by others on the machine.
 */
export async function storageOf(
  storeUrl: string,
  { env }: Pick<CliIo, 'env'>,
): Promise<string | Driver> {
  const token = env['WHERRY_TOKEN'];
  if (!token || !BROKER_SCHEME.test(storeScheme(storeUrl) ?? '')) return storeUrl;
  const { createRemoteDriver } = await import('../drivers/remote/index.ts');
  return createRemoteDriver({ url: storeUrl, token });
}

/**
 * Opens the store for `work` and closes it afterwards, whatever happened.
 * @param options.create make the store where there is none; else that is an error
 * @throws StoreNotFoundError, StorageInUseError, and whatever `work` throws
 */
export async function withStore<Result>(
  invocation: Invocation,
  options: { readonly create: boolean },
  work: (mq: MessageQueueSystem) => Promise<Result>,
): Promise<Result> {
  if (!options.create) requireStore(invocation.storeUrl);
  // Loaded late, so that help and completion need not wait for the store's binaries.
  const { MessageQueueSystem: System } = await import('../index.ts');
  const storage = await storageOf(invocation.storeUrl, invocation.io);
  const mq = await System.open({ storage });
  try {
    return await work(mq);
  } finally {
    await mq.close();
  }
}
