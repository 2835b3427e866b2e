import { open, type Database, type RootDatabase } from 'lmdb';
import { get48 } from './keys.ts';

/** What LMDB calls the store's file. */
export const DATA_FILE = 'data.mdb';

export type Table = Database<Uint8Array, Uint8Array>;
export type Root = RootDatabase<Uint8Array, Uint8Array>;

/**
 * The tables of a store. All numbers in keys are big-endian, see keys.ts.
 *
 *     (root)       'facts', 'owner'            -> the store's own facts, who has it open
 *     topology     [kind, name]                -> number, version, value
 *     counters     queue                       -> what the queue holds, written with each change
 *     messages     queue, priority, sequence   -> record: ready, or leased from there
 *     scheduled    queue, due, sequence        -> record: delayed, backing off or parked
 *     groups       queue, group, sequence      -> record: waiting behind its group's head
 *     heads        queue, group                -> the sequences of the group's heads
 *     vacant       queue, group                -> groups where held ones that are no heads have slots
 *     places       queue, space, sequence      -> where it is in `scheduled` or `groups`
 *     ids          id                          -> queue, sequence: where the id does not tell
 *     expiry       expiresAt, queue, sequence  -> priority
 *     dedup        queue, deduplicationId      -> until, id
 *     dedupTimes   until, queue, dedup.id      -> nothing
 *     lasts        queue, deduplicationId      -> the sequence of the message that the next replaces
 *     fences       queue, key                  -> the greatest value
 *     buckets      queue, group                -> what the group's rate limit has let go lately
 *     marks        number                      -> a batch that was handed out (G6)
 *     graveyard    queue                       -> a deleted queue whose records are still there
 *     damaged      queue, priority, sequence   -> a record that could not be read, as it was
 */
export interface Tables {
  readonly root: Root;
  readonly topology: Table;
  readonly counters: Table;
  readonly messages: Table;
  /** The same table, to walk along one priority: its keys are sequences. */
  readonly messageWalk: Database<Uint8Array, Uint8Array | number>;
  readonly scheduled: Table;
  readonly groups: Table;
  readonly heads: Table;
  readonly vacant: Table;
  readonly places: Table;
  readonly ids: Table;
  readonly expiry: Table;
  readonly dedup: Table;
  readonly dedupTimes: Table;
  readonly lasts: Table;
  readonly fences: Table;
  readonly buckets: Table;
  readonly marks: Table;
  readonly graveyard: Table;
  readonly damaged: Table;
}

/**
 * Hands values over without a copy: what comes out is good until the next read. LMDB copies what
 * goes in, from `start` to `end` where a buffer has them.
 */
const AS_IS = {
  encode: (value: Uint8Array): Uint8Array => value,
  decode: (value: Uint8Array): Uint8Array => value,
};

/** Spares a copy of the key for each message that is handed out. */
const SEQUENCES = {
  writeKey: (key: Uint8Array, target: Uint8Array, start: number): number => {
    target.set(key, start);
    return start + key.length;
  },
  readKey: (source: Uint8Array, start: number): number => get48(source, start + 5),
};

/** @param path the folder; it must exist. Nothing is written yet. */
export function openRoot(path: string): Root {
  return open<Uint8Array, Uint8Array>({
    path,
    noSubdir: false,
    maxDbs: 24,
    // A transaction that resolved is on the disk, not merely on its way.
    overlappingSync: false,
    // A lone commit starts at once; the committer groups those that come together.
    eventTurnBatching: false,
    encoder: AS_IS,
    keyEncoding: 'binary',
  });
}

/** Opens the tables, and makes those that are missing, in one commit. */
export function openTables(root: Root): Tables {
  return root.transactionSync(() => tablesOf(root));
}

function tablesOf(root: Root): Tables {
  const table = (name: string): Table =>
    root.openDB<Uint8Array, Uint8Array>({ name, encoder: AS_IS, keyEncoding: 'binary' } as never);
  return {
    root,
    topology: table('topology'),
    counters: table('counters'),
    messages: table('messages'),
    messageWalk: root.openDB<Uint8Array, Uint8Array | number>({
      name: 'messages',
      encoder: AS_IS,
      keyEncoder: SEQUENCES,
    } as never),
    scheduled: table('scheduled'),
    groups: table('groups'),
    heads: table('heads'),
    vacant: table('vacant'),
    places: table('places'),
    ids: table('ids'),
    expiry: table('expiry'),
    dedup: table('dedup'),
    dedupTimes: table('dedupTimes'),
    lasts: table('lasts'),
    fences: table('fences'),
    buckets: table('buckets'),
    marks: table('marks'),
    graveyard: table('graveyard'),
    damaged: table('damaged'),
  };
}

/** @returns a value that is good until the next read, or undefined */
export function read(table: Table, key: Uint8Array): Uint8Array | undefined {
  return table.getBinaryFast(key);
}

/** @returns a copy of what was read, good for ever. (`Buffer.from` would copy lmdb's whole buffer.) */
export function copyOf(value: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(value, 0, value.length);
}

/** The first entry from `start` on and before `end`, or undefined. Its value is good until the next read. */
export function firstEntry(
  table: Table,
  start: Uint8Array,
  end: Uint8Array,
): { readonly key: Uint8Array; readonly value: Uint8Array } | undefined {
  for (const entry of table.getRange({ start, end, limit: 1, snapshot: false })) return entry;
  return undefined;
}

/** @returns the key after all that begin with `prefix` */
export function afterPrefix(prefix: Uint8Array): Uint8Array {
  const end = Uint8Array.from(prefix);
  for (let at = end.length - 1; at >= 0; at--) {
    end[at] = (end[at]! + 1) & 0xff;
    if (end[at] !== 0) return end.subarray(0, at + 1);
  }
  return Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
}
