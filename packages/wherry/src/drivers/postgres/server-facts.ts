import { StorageError } from '../../core/errors.ts';

/** Anything older has other rules for what a function's statements see, or lacks what is used. */
const VERSION_MIN = 13;

/** What a server says of itself. */
export interface ServerFacts {
  /** '15.4', say. */
  readonly version: string;
  /** 150004, say. */
  readonly versionNumber: number;
  /** A standby, or set so. */
  readonly isReadOnly: boolean;
  readonly fsync: boolean;
  readonly fullPageWrites: boolean;
  /** Of sessions like ours: 'on', 'off', 'local', 'remote_write' or 'remote_apply'. */
  readonly synchronousCommit: string;
  /** Of transactions that do not say. */
  readonly isolation: string;
}

/** One row, as `ServerFacts`. */
export const SERVER_FACTS: string = `
  SELECT
    current_setting('server_version') AS "version",
    current_setting('server_version_num')::int AS "versionNumber",
    current_setting('transaction_read_only')::boolean AS "isReadOnly",
    current_setting('fsync')::boolean AS "fsync",
    current_setting('full_page_writes')::boolean AS "fullPageWrites",
    current_setting('synchronous_commit') AS "synchronousCommit",
    current_setting('default_transaction_isolation') AS "isolation"`;

/** @throws StorageError when no store can be kept there */
export function refuseServer(facts: ServerFacts): void {
  const { version, versionNumber, isReadOnly, isolation } = facts;
  if (versionNumber < VERSION_MIN * 10_000) {
    throw new StorageError(
      `The server is PostgreSQL ${version}; Wherry needs ${VERSION_MIN} or later. ` +
        'Upgrade the server. Nothing was changed.',
      { code: 'STORAGE_OLD_SERVER' },
    );
  }
  if (isReadOnly) {
    throw new StorageError(
      'This PostgreSQL server is a standby, or set to be read-only. Name the primary.',
      { code: 'STORAGE_READONLY' },
    );
  }
  if (isolation !== 'read committed') {
    throw new StorageError(
      `The server's default_transaction_isolation is '${isolation}' for this user and database. A call ` +
        "that waited for another would go by what was before: set it to 'read committed', with ALTER " +
        'ROLE or ALTER DATABASE.',
      { code: 'STORAGE_OPEN' },
    );
  }
}

/** What survives of what was confirmed, by how the server writes it down. */
export function durabilityOf(facts: ServerFacts): 'none' | 'process' | 'power' {
  if (facts.synchronousCommit === 'off') return 'none';
  return facts.fsync && facts.fullPageWrites ? 'power' : 'process';
}

/** Servers that were warned about in this process, so that ten stores on one warn once. */
const warned = new Set<string>();

/** Confirmed messages that a crash of the server takes along must be somebody's decision. */
export function warnOfLoss(facts: ServerFacts): void {
  const { fsync, fullPageWrites, synchronousCommit } = facts;
  if (durabilityOf(facts) === 'power') return;
  const settings =
    `fsync = ${onOff(fsync)}, full_page_writes = ${onOff(fullPageWrites)}, ` +
    `synchronous_commit = ${synchronousCommit}`;
  if (warned.has(settings)) return;
  warned.add(settings);
  process.emitWarning(
    `The PostgreSQL server may lose confirmed messages when it, or its machine, crashes (${settings}). ` +
      'Set all three to on, at least for the user of the store.',
    { type: 'WherryWarning', code: 'WHERRY_POSTGRES_DURABILITY' },
  );
}

export function onOff(value: boolean): string {
  return value ? 'on' : 'off';
}
