import type { TopologyChange, TopologyEntry, TopologyStore } from '../../core/driver.ts';
import { tellAll } from '../../core/tell-all.ts';
import type { Connection } from './connection.ts';
import type { Reader } from './wire/bytes.ts';
import { nothing } from './wire/codec.ts';
import { readWhole } from './wire/frames.ts';
import { MESSAGE } from './wire/messages.ts';
import { topologyChange } from './wire/outcomes.ts';

type Listener = (changed: TopologyChange) => void;

/** The host's topology. When another host has taken over, listeners are told what differs. */
export class RemoteTopology implements TopologyStore {
  readonly #connection: () => Connection;
  readonly #listeners = new Set<Listener>();
  /** What listeners know, or could. */
  readonly #known = new Map<string, TopologyEntry>();
  #stopLocal: (() => void) | null = null;

  constructor(connection: () => Connection) {
    this.#connection = connection;
  }

  async load(): Promise<readonly TopologyEntry[]> {
    const connection = this.#connection();
    const entries = await (connection.local?.topology.load() ??
      connection.call('topology.load', undefined));
    for (const entry of entries) this.#known.set(keyOf(entry), entry);
    return entries;
  }

  put(
    entry: { readonly kind: string; readonly name: string; readonly value: unknown },
    expectedVersion: number,
  ): Promise<TopologyEntry | null> {
    const connection = this.#connection();
    if (connection.local !== null) return connection.local.topology.put(entry, expectedVersion);
    return connection.call('topology.put', { ...entry, expectedVersion });
  }

  remove(kind: string, name: string, expectedVersion: number): Promise<boolean> {
    const connection = this.#connection();
    if (connection.local !== null) {
      return connection.local.topology.remove(kind, name, expectedVersion);
    }
    return connection.call('topology.remove', { kind, name, expectedVersion });
  }

  watch(listener: Listener): () => void {
    if (this.#listeners.size === 0) this.#connection().tell(MESSAGE.watch, nothing, undefined);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  receive(from: Reader): void {
    this.#told(readWhole(from, topologyChange));
  }

  /** The host, or the store, is another one: what it told before counts no more. */
  async follow(): Promise<void> {
    const connection = this.#connection();
    const { local } = connection;
    if (local === null) {
      if (this.#listeners.size > 0) connection.tell(MESSAGE.watch, nothing, undefined);
    } else this.#stopLocal ??= local.topology.watch((changed) => this.#told(changed));
    if (this.#listeners.size === 0) return;
    const before = new Map(this.#known);
    const entries = await this.load();
    const present = new Set(entries.map(keyOf));
    for (const [key, { kind, name }] of before) {
      if (!present.has(key)) this.#told({ type: 'removed', kind, name });
    }
    for (const entry of entries) {
      const former = before.get(keyOf(entry));
      const isKnown = former?.number === entry.number && former.version === entry.version;
      if (!isKnown) this.#told({ type: 'put', entry });
    }
  }

  close(): void {
    this.#stopLocal?.();
  }

  #told(changed: TopologyChange): void {
    if (changed.type === 'put') this.#known.set(keyOf(changed.entry), changed.entry);
    else this.#known.delete(keyOf(changed));
    tellAll(this.#listeners, changed);
  }
}

/** Names may hold any character, a separator too: JSON keeps the two apart. */
function keyOf({ kind, name }: { readonly kind: string; readonly name: string }): string {
  return JSON.stringify([kind, name]);
}
