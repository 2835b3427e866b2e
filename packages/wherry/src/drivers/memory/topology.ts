import type { TopologyChange, TopologyEntry, TopologyStore } from '../../core/driver.ts';

type Listener = (change: TopologyChange) => void;

/** Small documents by kind and name, changed by compare-and-set. */
export class MemoryTopology implements TopologyStore {
  readonly #entries = new Map<string, TopologyEntry>();
  readonly #listeners = new Set<Listener>();
  #lastNumber = 0;

  async load(): Promise<readonly TopologyEntry[]> {
    return structuredClone([...this.#entries.values()]);
  }

  async put(
    entry: { readonly kind: string; readonly name: string; readonly value: unknown },
    expectedVersion: number,
  ): Promise<TopologyEntry | null> {
    const { kind, name } = entry;
    const key = keyOf(kind, name);
    const present = this.#entries.get(key);
    if ((present?.version ?? 0) !== expectedVersion) return null;
    const value: unknown = structuredClone(entry.value);
    const number = present?.number ?? this.#nextNumber();
    const stored: TopologyEntry = { kind, name, number, version: expectedVersion + 1, value };
    this.#entries.set(key, stored);
    this.#announce({ type: 'put', entry: stored });
    return structuredClone(stored);
  }

  async remove(kind: string, name: string, expectedVersion: number): Promise<boolean> {
    const key = keyOf(kind, name);
    if (this.#entries.get(key)?.version !== expectedVersion) return false;
    this.#entries.delete(key);
    this.#announce({ type: 'removed', kind, name });
    return true;
  }

  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Removes the entry of a queue that was deleted, if it is one of ours. */
  removeNumber(number: number): void {
    for (const [key, { kind, name, number: present }] of this.#entries) {
      if (kind !== 'queue' || present !== number) continue;
      this.#entries.delete(key);
      this.#announce({ type: 'removed', kind, name });
      return;
    }
  }

  clear(): void {
    this.#entries.clear();
  }

  #nextNumber(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }

  #announce(change: TopologyChange): void {
    for (const listener of this.#listeners) listener(structuredClone(change));
  }
}

/** Names may hold any character, a separator too: JSON keeps the two apart. */
function keyOf(kind: string, name: string): string {
  return JSON.stringify([kind, name]);
}
