import { StorageError, type TopologyChange, type TopologyEntry, type TopologyStore } from 'wherry';

const PUT_TRIES = 20;

type Listener<T> = (name: string, value: T | undefined) => void;

/**
 * The documents of one kind in a store, mirrored: look-ups are synchronous, changes go to the store
 * first, by compare-and-set, and those of other brokers on the same store come by watching it.
 */
export class Documents<T> {
  readonly #topology: TopologyStore;
  readonly #kind: string;
  readonly #entries = new Map<string, TopologyEntry>();
  readonly #listeners = new Set<Listener<T>>();
  #unwatch: (() => void) | null = null;

  constructor(topology: TopologyStore, kind: string) {
    this.#topology = topology;
    this.#kind = kind;
  }

  async open(): Promise<void> {
    this.#unwatch = this.#topology.watch((change) => this.#apply(change));
    await this.refresh();
  }

  close(): void {
    this.#unwatch?.();
    this.#unwatch = null;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(name: string): T | undefined {
    return this.#entries.get(name)?.value as T | undefined;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** In the order of these numbers they were made; none is given twice. */
  numberOf(name: string): number | undefined {
    return this.#entries.get(name)?.number;
  }

  entries(): [name: string, value: T][] {
    return [...this.#entries.values()].map(({ name, value }) => [name, value as T]);
  }

  /** Calls back after each change, once look-ups show it. @returns how to stop */
  watch(listener: Listener<T>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Compare-and-set until it took.
   * @param change is given the present value, and says what to store; it may throw
   * @returns what was stored, and whether it is new
   */
  async put(
    name: string,
    change: (present: T | undefined) => T,
  ): Promise<{ readonly value: T; readonly isNew: boolean }> {
    for (let tries = 0; tries < PUT_TRIES; tries++) {
      const present = this.#entries.get(name);
      const value = change(present?.value as T | undefined);
      const entry = { kind: this.#kind, name, value };
      const stored = await this.#topology.put(entry, present?.version ?? 0);
      if (stored !== null) {
        this.#apply({ type: 'put', entry: stored });
        return { value: stored.value as T, isNew: stored.version === 1 };
      }
      await this.refresh();
    }
    throw this.#conflict(name);
  }

  /**
   * Compare-and-set until it took.
   * @param change is given the present value, and says what to store: null removes it, undefined
   *   leaves it as it is; it may throw
   * @returns what is stored then
   */
  async update(
    name: string,
    change: (present: T | undefined) => T | null | undefined,
  ): Promise<T | undefined> {
    for (let tries = 0; tries < PUT_TRIES; tries++) {
      const present = this.#entries.get(name);
      const value = change(present?.value as T | undefined);
      if (value === undefined || (value === null && present === undefined)) return this.get(name);
      if (value === null) {
        if (await this.#removeVersion(name, present!.version)) return undefined;
      } else {
        const entry = { kind: this.#kind, name, value };
        const stored = await this.#topology.put(entry, present?.version ?? 0);
        if (stored !== null) {
          this.#apply({ type: 'put', entry: stored });
          return stored.value as T;
        }
      }
      await this.refresh();
    }
    throw this.#conflict(name);
  }

  /** @returns whether there was such a document */
  async remove(name: string): Promise<boolean> {
    for (;;) {
      const present = this.#entries.get(name);
      if (present === undefined) return false;
      if (await this.#removeVersion(name, present.version)) return true;
      await this.refresh();
    }
  }

  /** Looks what the store has: for when it should have told of a change, and has not. */
  async refresh(): Promise<void> {
    const before = new Map(this.#entries);
    const stored = (await this.#topology.load()).filter(({ kind }) => kind === this.#kind);
    const names = new Set(stored.map(({ name }) => name));
    // What has changed since the look began is newer than what the look brought.
    const isUnchanged = (name: string): boolean => this.#entries.get(name) === before.get(name);
    for (const name of before.keys()) {
      if (names.has(name) || !isUnchanged(name)) continue;
      this.#apply({ type: 'removed', kind: this.#kind, name });
    }
    for (const entry of stored) {
      if (isUnchanged(entry.name)) this.#apply({ type: 'put', entry });
    }
  }

  async #removeVersion(name: string, version: number): Promise<boolean> {
    const isRemoved = await this.#topology.remove(this.#kind, name, version);
    if (isRemoved) this.#apply({ type: 'removed', kind: this.#kind, name });
    return isRemoved;
  }

  #conflict(name: string): StorageError {
    return new StorageError(`The ${this.#kind} '${name}' kept being changed by others.`, {
      code: 'CONFLICT',
      retriable: true,
    });
  }

  #apply(change: TopologyChange): void {
    const { kind, name } = change.type === 'put' ? change.entry : change;
    if (kind !== this.#kind) return;
    if (change.type === 'put') {
      const present = this.#entries.get(name);
      const { number, version } = change.entry;
      // What a watch brings may be older than what a call has brought already.
      if (present?.number === number && present.version >= version) return;
      this.#entries.set(name, change.entry);
    } else if (!this.#entries.delete(name)) return;
    for (const listener of this.#listeners) listener(name, this.get(name));
  }
}

/**
 * The kinds of documents that say who may do what. No client of the store may see or change them:
 * they hold digests of secrets, and whoever writes one makes an administrator of anybody.
 */
export const ACCESS_KINDS = { user: 'user', token: 'token', session: 'session', vhost: 'vhost' };
