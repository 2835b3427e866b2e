/**
 * Who has the store open: one process, and in it one driver. The record is in the store itself,
 * so that taking it is a transaction: LMDB's writer lock survives the death of its holder, and two
 * who find a dead owner cannot both become the next.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { StorageInUseError } from '../../core/errors.ts';
import { decodeChecked, encodeChecked } from './checked-json.ts';
import { read, type Root } from './tables.ts';

interface Owner {
  readonly pid: number;
  /** When the process began, as the system counts it; '' where it does not tell. */
  readonly started: string;
  /** Names the system's present run; '' where it does not tell. */
  readonly boot: string;
  /** Names the driver. */
  readonly instance: string;
}

const OWNER_KEY: Uint8Array = Buffer.from('owner');

/** Folders that drivers of this thread have open, whichever copy of this module opened them. */
const openFolders: Set<string> = ((globalThis as Record<symbol, unknown>)[
  Symbol.for('wherry.lmdb.openFolders')
] ??= new Set<string>()) as Set<string>;

/** Drivers of this thread that let go of their store, whether or not they could say so in it. */
const released = new Set<string>();

/**
 * Sets the folder aside for one driver of this thread, before LMDB sees it: two that commit at the
 * same time would wait for each other in the one event loop, for ever.
 * @returns how to give it back
 * @throws StorageInUseError when another driver of this thread has it
 */
export function reserve(path: string): () => void {
  const folder = realpathSync(path);
  if (openFolders.has(folder)) throw new StorageInUseError(path, process.pid);
  openFolders.add(folder);
  return () => openFolders.delete(folder);
}

/**
 * Makes this process the owner.
 * @param root closed by the caller when this throws
 * @returns `instance` names the ownership, for `release`; whether the one before did not let go
 * @throws StorageInUseError when another has it open
 */
export function acquire(
  root: Root,
  path: string,
): { readonly instance: string; readonly wasAbandoned: boolean } {
  const owner: Owner = {
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    boot: bootOf(),
    instance: randomUUID(),
  };
  // Looked at first without the writer lock, which a stopped owner might hold.
  refuseIfOwned(root, path);
  let wasAbandoned = false;
  root.transactionSync(() => {
    refuseIfOwned(root, path);
    wasAbandoned = ownerOf(root) !== undefined;
    root.putSync(OWNER_KEY, encodeChecked(owner));
  });
  return { instance: owner.instance, wasAbandoned };
}

/** Lets go of the store. @param mayWrite false after a failed sync */
export async function release(root: Root, instance: string, mayWrite: boolean): Promise<void> {
  released.add(instance);
  if (!mayWrite) return;
  try {
    await root.childTransaction(() => {
      if (ownerOf(root)?.instance === instance) root.removeSync(OWNER_KEY);
    });
  } catch (error) {
    // A full disk: the next one sees that this owner let go, or is dead.
    const { commitError } = error as { commitError?: Promise<unknown> };
    await commitError?.catch(() => undefined);
  }
}

function refuseIfOwned(root: Root, path: string): void {
  const owner = ownerOf(root);
  if (owner !== undefined && !released.has(owner.instance) && isAlive(owner)) {
    throw new StorageInUseError(path, owner.pid);
  }
}

function ownerOf(root: Root): Owner | undefined {
  const bytes = read(root, OWNER_KEY);
  return bytes && (decodeChecked(bytes) as Owner | undefined);
}

function isAlive({ pid, started, boot }: Owner): boolean {
  if (boot !== bootOf()) return false;
  const present = startOf(pid);
  if (present !== undefined) return present === started;
  if (started !== '') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there but another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A number is used again by another process, but not with the same start. */
function startOf(pid: number): string | undefined {
  const stat = readIfAny(`/proc/${pid}/stat`);
  // The second field is the command in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  // Dead, and only not yet waited for.
  if (state === 'Z' || state === 'X') return undefined;
  return fields[19];
}

function bootOf(): string {
  return readIfAny('/proc/sys/kernel/random/boot_id').trim();
}

function readIfAny(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
