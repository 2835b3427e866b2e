import type { QueueRef, TopologyChange, TopologyEntry, TopologyStore } from './driver.ts';
import { QueueNotFoundError, StorageError } from './errors.ts';
import {
  type Queue,
  Queue as QueueClass,
  type QueueDocument,
  isTrimmed,
  queueRef,
} from './queue.ts';
import { type Binding, type Exchange, parseBinding } from './routing/exchange.ts';
import { Router } from './routing/router.ts';

interface Resolved {
  readonly ref: QueueRef;
  readonly targets: readonly QueueRef[];
}

const PUT_TRIES = 20;

/**
 * What this process knows of the queues, exchanges and bindings in the store, kept current by
 * watching it. Look-ups are synchronous; changes go to the store first, by compare-and-set.
 */
export class Topology {
  readonly router: Router;
  readonly #store: TopologyStore;
  readonly #systemDeadLetterQueue: string;
  readonly #entries = new Map<string, TopologyEntry>();
  /** Stored, but not what they should be: as if they were not there, but for their version. */
  readonly #unusable = new Set<string>();
  readonly #queues = new Map<string, Queue>();
  readonly #byNumber = new Map<number, Queue>();
  readonly #trimmed = new Set<number>();
  /** Refs hold limits of the queue and of where it evicts to: any change makes them anew. */
  #resolved = new Map<string, Resolved>();
  #deadLetterQueues: ReadonlySet<string> | null = null;
  /** Bindings that came before what they bind, which a store may tell of in any order. */
  readonly #early = new Set<Binding>();
  readonly #listeners = new Set<(change: TopologyChange) => void>();
  #unwatch: (() => void) | null = null;

  /**
   * @param systemDeadLetterQueue stands in for a named dead-letter queue that does not exist
   */
  constructor(store: TopologyStore, systemDeadLetterQueue: string) {
    this.#systemDeadLetterQueue = systemDeadLetterQueue;
    this.#store = store;
    this.router = new Router({ hasQueue: (name) => this.#queues.has(name) });
  }

  async open(): Promise<void> {
    this.#unwatch = this.#store.watch((change) => this.#apply(change));
    const entries = await this.#store.load();
    // Bindings last: what they bind must be there.
    const order = ['queue', 'exchange', 'binding'];
    const sorted = entries.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
    for (const entry of sorted) this.#apply({ type: 'put', entry });
  }

  close(): void {
    this.#unwatch?.();
    this.#unwatch = null;
  }

  /** Calls back after each change, once the look-ups show it. @returns how to stop */
  watch(listener: (change: TopologyChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws QueueNotFoundError */
  queue(name: string): Queue {
    const queue = this.#queues.get(name);
    if (queue === undefined) throw new QueueNotFoundError(name);
    return queue;
  }

  findQueue(name: string): Queue | undefined {
    return this.#queues.get(name);
  }

  queueByNumber(number: number): Queue | undefined {
    return this.#byNumber.get(number);
  }

  queues(): Queue[] {
    return [...this.#queues.values()];
  }

  /** The queue as its store wants it named. @throws QueueNotFoundError */
  ref(name: string): QueueRef {
    return this.#resolve(name).ref;
  }

  /** @returns the same queue as it is set now; as it was when it is there no more */
  presentRef(queue: QueueRef): QueueRef {
    const present = this.#queues.has(queue.name) ? this.#resolve(queue.name).ref : queue;
    return present.number === queue.number ? present : queue;
  }

  /** A publish to just this queue; the same array every time. @throws QueueNotFoundError */
  targets(name: string): readonly QueueRef[] {
    return this.#resolve(name).targets;
  }

  /** Whether any queue is one that `isTrimmed`. */
  get hasTrimmed(): boolean {
    return this.#trimmed.size > 0;
  }

  /** Whether the queue's bound is kept by its trimmer. */
  isTrimmed({ number }: QueueRef): boolean {
    return this.#trimmed.has(number);
  }

  /** Whether some queue names this one as its dead-letter queue. */
  isDeadLetterQueue(name: string): boolean {
    this.#deadLetterQueues ??= new Set(
      this.queues().flatMap((queue) => queue.settings.deadLetterQueue ?? []),
    );
    return this.#deadLetterQueues.has(name);
  }

  /** The bindings of a queue, those too whose exchange is not there. */
  bindingsTo(queue: string): Binding[] {
    const early = [...this.#early].filter(
      ({ destination: { type, name } }) => type === 'queue' && name === queue,
    );
    return [...this.router.listBindings({ queue }), ...early.map(parseBinding)];
  }

  find(kind: string, name: string): TopologyEntry | undefined {
    const key = `${kind}/${name}`;
    return this.#unusable.has(key) ? undefined : this.#entries.get(key);
  }

  list(kind: string): TopologyEntry[] {
    return [...this.#entries.values()].filter(
      (entry) => entry.kind === kind && !this.#unusable.has(`${kind}/${entry.name}`),
    );
  }

  /**
   * Compare-and-set until it took.
   * @param change is given the present entry, and says what to store; `null` leaves it as it is
   * @returns the entry that is stored then
   */
  async put(
    kind: string,
    name: string,
    change: (present: TopologyEntry | undefined) => unknown,
  ): Promise<TopologyEntry> {
    for (let tries = 0; tries < PUT_TRIES; tries++) {
      const present = this.find(kind, name);
      const value = change(present);
      if (value === null && present !== undefined) return present;
      const version = this.#entries.get(`${kind}/${name}`)?.version ?? 0;
      const stored = await this.#store.put({ kind, name, value }, version);
      if (stored !== null) {
        this.#apply({ type: 'put', entry: stored });
        return stored;
      }
      await this.refresh();
    }
    throw new StorageError(`${kind} '${name}' kept being changed by others; try again.`, {
      code: 'CONFLICT',
      retriable: true,
    });
  }

  /**
   * Compare-and-set, once.
   * @returns the entry that is stored then; null: somebody else has changed it since `present`
   */
  async replace(present: TopologyEntry, value: unknown): Promise<TopologyEntry | null> {
    const { kind, name, version } = present;
    const stored = await this.#store.put({ kind, name, value }, version);
    if (stored !== null) this.#apply({ type: 'put', entry: stored });
    return stored;
  }

  /** @returns whether there was such an entry */
  async remove(kind: string, name: string): Promise<boolean> {
    for (;;) {
      const present = this.#entries.get(`${kind}/${name}`);
      if (present === undefined) return false;
      if (await this.#store.remove(kind, name, present.version)) {
        this.forget(kind, name);
        return true;
      }
      await this.refresh();
    }
  }

  /** The entry is known to be gone from the store. */
  forget(kind: string, name: string): void {
    this.#apply({ type: 'removed', kind, name });
  }

  /** Looks what the store has: for when it should have told of a change, and has not. */
  async refresh(): Promise<void> {
    const entries = await this.#store.load();
    const alive = new Set(entries.map((entry) => `${entry.kind}/${entry.name}`));
    for (const { kind, name } of this.#entries.values()) {
      if (!alive.has(`${kind}/${name}`)) this.forget(kind, name);
    }
    for (const entry of entries) this.#apply({ type: 'put', entry });
  }

  #resolve(name: string): Resolved {
    let resolved = this.#resolved.get(name);
    if (resolved === undefined) {
      const queue = this.queue(name);
      const ref = queueRef(queue, this.#evictTo(queue));
      resolved = { ref, targets: [ref] };
      this.#resolved.set(name, resolved);
    }
    return resolved;
  }

  /** Where `drop-oldest` puts what it drops: nowhere, unless the queue names a dead-letter queue. */
  #evictTo(queue: Queue): QueueRef | null {
    const named = queue.settings.deadLetterQueue;
    if (named === null) return null;
    const target = this.#queues.get(named) ?? this.#queues.get(this.#systemDeadLetterQueue);
    return target === undefined || target === queue ? null : queueRef(target, null);
  }

  #apply(change: TopologyChange): void {
    const { kind, name } = change.type === 'put' ? change.entry : change;
    const key = `${kind}/${name}`;
    const present = this.#entries.get(key);
    if (change.type === 'put') {
      // What a watch brings may be older than what a call has brought already.
      const { entry } = change;
      if (present?.number === entry.number && present.version >= entry.version) return;
      this.#entries.set(key, entry);
    } else if (!this.#entries.delete(key)) return;
    const wasUsable = !this.#unusable.delete(key);
    try {
      if (kind === 'queue') this.#applyQueue(change, name);
      else if (kind === 'exchange') this.#applyExchange(change, name);
      else if (kind === 'binding') this.#applyBinding(change, wasUsable ? present : undefined);
    } catch (error) {
      this.#unusable.add(key);
      process.emitWarning(
        `The ${kind} '${name}' in the store cannot be used, and is passed over: ` +
          `${error instanceof Error ? error.message : String(error)} Create it anew, or delete it.`,
      );
      return;
    }
    for (const listener of this.#listeners) listener(change);
  }

  #applyQueue(change: TopologyChange, name: string): void {
    let queue: Queue | null = null;
    if (change.type === 'put') {
      const { number, version, value } = change.entry;
      queue = new QueueClass(name, number, version, value as QueueDocument);
    }
    this.#resolved = new Map();
    this.#deadLetterQueues = null;
    const former = this.#queues.get(name);
    if (former !== undefined) {
      this.#byNumber.delete(former.number);
      this.#trimmed.delete(former.number);
    }
    if (queue === null) {
      this.#queues.delete(name);
      this.router.removeQueue(name);
      return;
    }
    this.#queues.set(name, queue);
    this.#byNumber.set(queue.number, queue);
    if (isTrimmed(queue.settings)) this.#trimmed.add(queue.number);
    this.#addEarly();
  }

  #applyExchange(change: TopologyChange, name: string): void {
    if (change.type === 'removed') this.router.removeExchange(name);
    else {
      this.router.addExchange(change.entry.value as Exchange);
      this.#addEarly();
    }
  }

  #applyBinding(change: TopologyChange, present: TopologyEntry | undefined): void {
    if (change.type === 'put') {
      const binding = change.entry.value as Binding;
      // One that waits must be as good as one that is added.
      parseBinding(binding);
      // A binding whose end is gone already routes nowhere: its removal was cut short, or comes.
      if (this.#hasEnds(binding)) this.router.addBinding(binding);
      else this.#early.add(binding);
    } else if (present !== undefined) {
      this.#early.delete(present.value as Binding);
      this.router.removeBinding(present.value as Binding);
    }
  }

  #addEarly(): void {
    for (const binding of this.#early) {
      if (!this.#hasEnds(binding)) continue;
      this.#early.delete(binding);
      this.router.addBinding(binding);
    }
  }

  #hasEnds({ exchange, destination }: Binding): boolean {
    const found = this.find(destination.type, destination.name);
    return this.find('exchange', exchange) !== undefined && found !== undefined;
  }
}
