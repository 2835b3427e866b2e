/** The two narrow contracts beside the driver's (driver.ts): topology and wake-ups. */

/** Queues, exchanges, bindings, schedules, users: small documents by kind and name. */
export interface TopologyEntry {
  readonly kind: string;
  readonly name: string;
  /** Unique in the store, given at creation. */
  readonly number: number;
  /** 1 at creation, one more with each change. */
  readonly version: number;
  readonly value: unknown;
}

export interface TopologyStore {
  load(): Promise<readonly TopologyEntry[]>;
  /**
   * Compare and set.
   * @param expectedVersion 0 to create
   * @returns the stored entry, or null when the version was another
   */
  put(
    entry: { readonly kind: string; readonly name: string; readonly value: unknown },
    expectedVersion: number,
  ): Promise<TopologyEntry | null>;
  /** @returns whether it was removed: false when the version was another */
  remove(kind: string, name: string, expectedVersion: number): Promise<boolean>;
  /** Calls back after each change, those of other processes included. @returns how to stop */
  watch(listener: (change: TopologyChange) => void): () => void;
}

export type TopologyChange =
  | { readonly type: 'put'; readonly entry: TopologyEntry }
  | { readonly type: 'removed'; readonly kind: string; readonly name: string };

/** Wake-ups. A hint, never a promise: polling is the floor. */
export interface Notifier {
  /** 'ready': something can be taken; 'room': something left. @returns how to stop */
  subscribe(listener: (queueNumber: number, what: 'ready' | 'room') => void): () => void;
  /**
   * Somebody waits for news of this queue. A store to which telling costs something tells only of
   * queues that are followed; one without this method tells of all.
   * @returns how to stop
   */
  follow?(queueNumber: number): () => void;
}
