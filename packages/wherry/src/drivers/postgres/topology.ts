import type { TopologyChange, TopologyEntry, TopologyStore } from '../../core/driver.ts';
import type { Connection } from './connection.ts';

type Listener = (change: TopologyChange) => void;

interface EntryRow {
  readonly kind: string;
  readonly name: string;
  readonly number: number;
  readonly version: number;
  readonly revision: number;
  /** JSON. */
  readonly value: string;
}

interface RemovalRow extends Pick<EntryRow, 'kind' | 'name' | 'revision'> {
  readonly number: null;
}

/** There is nothing in the topology, or removals are forgotten. */
interface NothingRow extends Pick<EntryRow, 'revision'> {
  readonly kind: null;
}

/** For so long a process may be away and still learn what was removed meanwhile. */
const REMOVALS_KEPT = '7 days';

/**
 * Small documents by kind and name, changed by compare-and-set. Each change has a revision, one more
 * than the one before it; who knows up to which one they know asks for what came after.
 */
export class PostgresTopology implements TopologyStore {
  readonly #connection: Connection;
  readonly #listeners = new Set<Listener>();
  /** What listeners have been told of. */
  #revision = 0;
  #catchingUp: Promise<void> | null = null;
  #again = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Changes from now on are told. */
  async start(): Promise<void> {
    const [row] = await this.#connection.query<{ revision: number }>(
      'SELECT revision FROM wherry.topology_state',
    );
    this.#revision = row!.revision;
    await this.#connection.query('SELECT wherry.topology_forget($1::text::interval)', [
      REMOVALS_KEPT,
    ]);
  }

  async load(): Promise<readonly TopologyEntry[]> {
    return (await this.#load()).map(entryOf);
  }

  async put(
    entry: { readonly kind: string; readonly name: string; readonly value: unknown },
    expectedVersion: number,
  ): Promise<TopologyEntry | null> {
    const { kind, name, value } = entry;
    const [row] = await this.#connection.query<EntryRow>(
      'SELECT * FROM wherry.topology_put($1, $2, $3, $4)',
      [kind, name, JSON.stringify(value), expectedVersion],
    );
    if (row === undefined) return null;
    await this.#changed(row.revision, () => ({ type: 'put', entry: entryOf(row) }));
    return entryOf(row);
  }

  async remove(kind: string, name: string, expectedVersion: number): Promise<boolean> {
    const [row] = await this.#connection.query<{ revision: number | null }>(
      'SELECT wherry.topology_remove($1, $2, $3) AS revision',
      [kind, name, expectedVersion],
    );
    const { revision } = row!;
    if (revision === null) return false;
    await this.#changed(revision, () => ({ type: 'removed', kind, name }));
    return true;
  }

  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Tells listeners what changed since they were told last.
   * @throws StorageError; the next call goes on where this one began
   */
  catchUp(): Promise<void> {
    // What is read already may lack what the caller knows of.
    if (this.#catchingUp !== null) this.#again = true;
    this.#catchingUp ??= this.#readChanges().finally(() => {
      this.#catchingUp = null;
    });
    return this.#catchingUp;
  }

  async #readChanges(): Promise<void> {
    do {
      this.#again = false;
      let rows: readonly (EntryRow | RemovalRow | NothingRow)[] = await this.#connection.query(
        'SELECT * FROM wherry.topology_changes($1)',
        [this.#revision],
        { repeatable: true },
      );
      // After so long an absence nobody can say any more what was removed, only what is there.
      if (rows[0]?.kind === null) rows = await this.#load();
      const before = this.#revision;
      for (const { revision } of rows) this.#revision = Math.max(this.#revision, revision);
      for (const row of rows)
        if (row.kind !== null && row.revision > before) this.#tell(changeOf(row));
    } while (this.#again);
  }

  /** One of our own changes: told at once where it is the next one, else with those before it. */
  async #changed(revision: number, change: () => TopologyChange): Promise<void> {
    if (revision === this.#revision + 1) {
      this.#revision = revision;
      this.#tell(change());
    } else if (revision > this.#revision) {
      // It is stored; whoever could not be told now is told with the next one.
      await this.catchUp().catch(() => undefined);
    }
  }

  async #load(): Promise<readonly EntryRow[]> {
    const rows = await this.#connection.query<EntryRow | NothingRow>(
      'SELECT * FROM wherry.topology_load()',
      [],
      { repeatable: true },
    );
    return rows.filter((row) => row.kind !== null);
  }

  #tell(change: TopologyChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function entryOf({ kind, name, number, version, value }: EntryRow): TopologyEntry {
  return { kind, name, number, version, value: JSON.parse(value) as unknown };
}

function changeOf(row: EntryRow | RemovalRow): TopologyChange {
  if (row.number !== null) return { type: 'put', entry: entryOf(row) };
  return { type: 'removed', kind: row.kind, name: row.name };
}
