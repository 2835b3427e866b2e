import { randomInt } from 'node:crypto';
import { StorageError, StorageVersionError } from '../../core/errors.ts';
import { QUEUE_TAG_LIMIT } from '../../core/message-id.ts';
import { decodeChecked, encodeChecked } from './checked-json.ts';
import { openTables, read, type Root, type Tables } from './tables.ts';

/**
 * The format that this version writes. To change how anything is stored:
 * 1. add one to FORMAT;
 * 2. append to MIGRATIONS what turns a store of the format before into one of this format; it runs
 *    at open, all that are needed in one transaction, so a crash leaves the old format or the new;
 * 3. keep a store of the old format as a test's input, and test that it opens;
 * 4. say in the changelog that older versions cannot open the store any more: they refuse it.
 * A record's own layout has a version byte beside (record.ts), for a change that both can be read.
 */
export const FORMAT = 3;

/** From format n + 1 to n + 2 at index n. */
const MIGRATIONS: readonly ((tables: Tables) => void)[] = [
  // A group may have several heads, a queue rates and fences: what there was is right as it is.
  () => undefined,
  // A record may have the encoding 'amqp', which older versions take for damage. None had it.
  () => undefined,
];

const FACTS_KEY: Uint8Array = Buffer.from('facts');

/** What a store knows of itself. */
export interface Facts {
  format: number;
  /** Tells this store's ids from another's. */
  salt: number;
  /** The greatest number that was given to a topology entry. */
  lastNumber: number;
  /** No lease has got this token or a greater one. */
  nextToken: number;
}

export function storeFacts(root: Root, facts: Facts): void {
  root.putSync(FACTS_KEY, encodeChecked(facts));
}

/** @returns undefined when the store is new */
function readFacts(root: Root, path: string): Facts | undefined {
  const bytes = read(root, FACTS_KEY);
  if (bytes === undefined) return undefined;
  const facts = decodeChecked(bytes) as Facts | undefined;
  if (facts === undefined) {
    throw new StorageError(
      `The store '${path}' is damaged: what it knows of itself does not match its checksum. ` +
        'Restore the folder from a backup.',
      { code: 'STORAGE_DAMAGED' },
    );
  }
  return facts;
}

/**
 * To be called before anything is written.
 * @throws StorageVersionError when a newer version wrote the store
 */
export function refuseNewer(root: Root, path: string): void {
  const format = readFacts(root, path)?.format ?? FORMAT;
  if (format > FORMAT) throw new StorageVersionError(path, format, FORMAT);
}

/** Opens the tables of a store that is not newer: sets up a new one, migrates an old one. */
export async function openFormat(
  root: Root,
  path: string,
): Promise<{ readonly tables: Tables; readonly facts: Facts }> {
  const present = readFacts(root, path);
  const tables = openTables(root);
  if (present?.format === FORMAT) return { tables, facts: present };
  const before: Facts = present ?? {
    format: FORMAT,
    salt: randomInt(QUEUE_TAG_LIMIT),
    lastNumber: 0,
    nextToken: 1,
  };
  const facts: Facts = { ...before, format: FORMAT };
  await root.childTransaction(() => {
    for (const migrate of MIGRATIONS.slice(before.format - 1)) migrate(tables);
    storeFacts(root, facts);
  });
  return { tables, facts };
}
