import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MessageQueueSystem } from '../index.ts';
import { StoreNotFoundError } from './errors.ts';
import type { Invocation } from './invocation.ts';

/** Two letters at least: `C:\queues` is a folder. */
const SCHEME = /^([a-z][a-z0-9+.-]+):(?:\/\/)?/i;
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
  const mq = await System.open({ storage: invocation.storeUrl });
  try {
    return await work(mq);
  } finally {
    await mq.close();
  }
}
