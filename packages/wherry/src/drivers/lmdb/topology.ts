import type { QueueRef, TopologyChange, TopologyEntry, TopologyStore } from '../../core/driver.ts';
import { tellAll } from '../../core/tell-all.ts';
import { decodeChecked, encodeChecked } from './checked-json.ts';
import type { LmdbStore } from './store.ts';
import { read } from './tables.ts';

type Listener = (change: TopologyChange) => void;

/** Small documents by kind and name, changed by compare-and-set. */
export class LmdbTopology implements TopologyStore {
  readonly #store: () => LmdbStore;
  readonly #listeners = new Set<Listener>();

  /** @param store throws when it is not open */
  constructor(store: () => LmdbStore) {
    this.#store = store;
  }

  async load(): Promise<readonly TopologyEntry[]> {
    const store = this.#store();
    return store.committer.read(() => entriesOf(store));
  }

  async put(
    entry: { readonly kind: string; readonly name: string; readonly value: unknown },
    expectedVersion: number,
  ): Promise<TopologyEntry | null> {
    const store = this.#store();
    const { kind, name, value } = entry;
    return store.committer.write(() => {
      const present = find(store, kind, name);
      if ((present?.version ?? 0) !== expectedVersion) return null;
      const number = present?.number ?? store.nextNumber();
      const version = expectedVersion + 1;
      const bytes = encodeChecked({ kind, name, number, version, value });
      store.tables.topology.putSync(keyOf(kind, name), bytes);
      // Listeners and callers get what was stored, not the caller's object.
      const stored = decodeChecked(bytes) as TopologyEntry;
      this.#announce(store, { type: 'put', entry: stored });
      return stored;
    });
  }

  async remove(kind: string, name: string, expectedVersion: number): Promise<boolean> {
    const store = this.#store();
    return store.committer.write(() => {
      if (find(store, kind, name)?.version !== expectedVersion) return false;
      store.tables.topology.removeSync(keyOf(kind, name));
      this.#announce(store, { type: 'removed', kind, name });
      return true;
    });
  }

  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Within a job: removes the entry of a queue that is deleted, if it is one of ours. */
  removeQueue(store: LmdbStore, { name, number }: QueueRef): void {
    if (find(store, 'queue', name)?.number !== number) return;
    store.tables.topology.removeSync(keyOf('queue', name));
    this.#announce(store, { type: 'removed', kind: 'queue', name });
  }

  #announce(store: LmdbStore, change: TopologyChange): void {
    store.onCommit(() => tellAll(this.#listeners, change));
  }
}

function find(store: LmdbStore, kind: string, name: string): TopologyEntry | undefined {
  const bytes = read(store.tables.topology, keyOf(kind, name));
  return bytes && (decodeChecked(bytes) as TopologyEntry | undefined);
}

/** @returns all entries that can be read */
export function entriesOf(store: LmdbStore): TopologyEntry[] {
  const entries: TopologyEntry[] = [];
  for (const { value } of store.tables.topology.getRange()) {
    const entry = decodeChecked(value) as TopologyEntry | undefined;
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** Names may hold any character, a separator too: JSON keeps the two apart. */
function keyOf(kind: string, name: string): Uint8Array {
  return Buffer.from(JSON.stringify([kind, name]));
}
