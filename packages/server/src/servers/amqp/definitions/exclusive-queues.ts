/** Which connection has which exclusive queues, so that they go with it. */
export class ExclusiveQueues {
  readonly #names = new Map<string, Set<string>>();
  readonly #connections = new Map<string, string>();
  /** Of each connection: declarations on their way. */
  readonly #declaring = new Map<string, Set<Promise<unknown>>>();

  /**
   * The connection may end while its declaration is on its way: `closed` waits for it.
   * @returns what `declaring` resolves to
   */
  async add<T>(connectionId: string, name: string, declaring: Promise<T>): Promise<T> {
    const underWay = entryOf(this.#declaring, connectionId);
    underWay.add(declaring);
    try {
      const declared = await declaring;
      entryOf(this.#names, connectionId).add(name);
      this.#connections.set(name, connectionId);
      return declared;
    } finally {
      underWay.delete(declaring);
      if (underWay.size === 0) this.#declaring.delete(connectionId);
    }
  }

  /** The queue is gone. */
  remove(name: string): void {
    const connectionId = this.#connections.get(name);
    if (connectionId === undefined) return;
    this.#connections.delete(name);
    const names = this.#names.get(connectionId);
    if (names?.delete(name) && names.size === 0) this.#names.delete(connectionId);
  }

  /** @returns the queues of a connection that has ended */
  async closed(connectionId: string): Promise<readonly string[]> {
    const declaring: Iterable<Promise<unknown>> = this.#declaring.get(connectionId) ?? [];
    await Promise.allSettled(declaring);
    const names = [...(this.#names.get(connectionId) ?? [])];
    for (const name of names) this.remove(name);
    return names;
  }
}

function entryOf<T>(map: Map<string, Set<T>>, key: string): Set<T> {
  let entry = map.get(key);
  if (entry === undefined) {
    entry = new Set();
    map.set(key, entry);
  }
  return entry;
}
