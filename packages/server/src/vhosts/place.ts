import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { UnsupportedError } from 'wherry';

/** A scheme of two letters or more: `C:\data` is a folder. */
const SCHEME = /^([a-z][a-z0-9+.-]+):(.*)$/is;

/**
 * Where a new virtual host's messages will be, within the broker's store: a part of a folder's
 * name, a key's prefix or a schema's name. Nothing of the virtual host's name gets there but letters
 * and digits, and none is given twice: what a deleted one may have left is nobody's.
 */
export function newPlace(name: string): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '')
    .slice(0, 12);
  return `${slug || 'v'}_${randomBytes(6).toString('hex')}`;
}

/**
 * @param store the broker's
 * @returns the folder that it is; null: it is none
 */
export function storeFolder(store: string): string | null {
  const [, scheme, rest] = SCHEME.exec(store) ?? [];
  if (scheme === undefined) return store;
  const isFolder = ['lmdb', 'file'].includes(scheme.toLowerCase());
  return isFolder ? rest!.replace(/^\/\//, '') : null;
}

/**
 * @param store the broker's
 * @returns the folder of a place, where the store is one; null: it is none
 */
export function folderOf(store: string, place: string): string | null {
  const folder = storeFolder(store);
  return folder === null ? null : join(folder, 'vhosts', place);
}

/**
 * @param store the broker's
 * @returns the store of a place: a folder below, another prefix or schema, or a memory of its own
 * @throws UnsupportedError
 */
export function storeOf(store: string, place: string): string {
  const folder = folderOf(store, place);
  // Said with its scheme: `lmdb:` takes whatever characters come.
  if (folder !== null) return `lmdb:${folder}`;
  const [scheme = ''] = store.toLowerCase().split(':', 1);
  if (scheme === 'memory') return store;
  if (/^rediss?\b/.test(scheme)) {
    return withParameter(store, 'prefix', (prefix = 'wherry') => `${prefix}:vhost:${place}`);
  }
  if (/^postgres(ql)?$/.test(scheme)) {
    return withParameter(store, 'wherry_schema', (schema = 'wherry') => `${schema}_${place}`);
  }
  throw new UnsupportedError(
    'further virtual hosts',
    scheme,
    'it is not known how to keep them apart there. Start a broker for each.',
  );
}

/** Changes one parameter of a URL, and leaves every other character as it is. */
function withParameter(
  url: string,
  name: string,
  change: (present: string | undefined) => string,
): string {
  const [address, query = ''] = url.split(/\?(.*)/s, 2) as [string, string?];
  const present = new URLSearchParams(query).get(name) ?? undefined;
  const others = query.split('&').filter((part) => part !== '' && !part.startsWith(`${name}=`));
  const changed = `${name}=${encodeURIComponent(change(present))}`;
  return `${address}?${[...others, changed].join('&')}`;
}
