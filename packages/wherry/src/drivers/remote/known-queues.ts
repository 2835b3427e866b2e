import type { Driver, MoveItem, QueueRef, TopologyChange } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import type { AnswerOf, Call, CallName, RequestOf } from './wire/calls.ts';

const NONE: readonly QueueRef[] = [];

/**
 * Which queue has which number in the store. A client may have its numbers from another store, one
 * that was here before: what it means for one queue must not reach another.
 */
export class KnownQueues {
  readonly #driver: Driver;
  /** Names of queues; null: it is no queue's number. */
  readonly #names = new Map<number, string | null>();
  readonly #numbers = new Map<string, number>();
  #highest = 0;
  #isLoaded = false;
  #loading: Promise<void> | null = null;
  readonly stop: () => void;

  constructor(driver: Driver) {
    this.#driver = driver;
    this.stop = driver.topology.watch((change) => this.#apply(change));
  }

  /** Carries a call out, but for what is meant for queues that are not here. */
  async run(name: CallName, call: Call<unknown, unknown>, request: unknown): Promise<unknown> {
    const strangers = await this.#strangersOf(meant(name, request));
    if (strangers.size === 0) return call.run(this.#driver, request);
    const strangerOf = (targets: readonly QueueRef[]): QueueRef | undefined =>
      targets.find((queue) => strangers.has(queue) || isIn(strangers, queue.evictTo));
    if (name === 'publish') return this.#publish(request as RequestOf<'publish'>, strangerOf);
    if (name === 'move') return this.#move(request as RequestOf<'move'>, strangerOf);
    const [first] = strangers;
    throw new QueueNotFoundError(first!.name);
  }

  async #publish(
    { items, atomic }: RequestOf<'publish'>,
    strangerOf: (targets: readonly QueueRef[]) => QueueRef | undefined,
  ): Promise<AnswerOf<'publish'>> {
    const missing = items.map(({ targets }) => strangerOf(targets));
    const first = missing.find((queue) => queue !== undefined);
    const missed = (queue: QueueRef) => ({ status: 'missing', queue: queue.name }) as const;
    if (atomic && first !== undefined) return items.map(() => missed(first));
    const rest = items.filter((_, i) => missing[i] === undefined);
    const outcomes = rest.length === 0 ? [] : await this.#driver.publish(rest);
    let next = 0;
    return missing.map((queue) => (queue === undefined ? outcomes[next++]! : missed(queue)));
  }

  async #move(
    items: readonly MoveItem[],
    strangerOf: (targets: readonly QueueRef[]) => QueueRef | undefined,
  ): Promise<AnswerOf<'move'>> {
    const missing = items.map(({ targets }) => strangerOf(targets));
    const rest = items.filter((_, i) => missing[i] === undefined);
    const outcomes = rest.length === 0 ? [] : await this.#driver.move(rest);
    let next = 0;
    return missing.map((queue) =>
      queue === undefined ? outcomes[next++]! : { status: 'missing', queue: queue.name },
    );
  }

  async #strangersOf(queues: readonly QueueRef[]): Promise<ReadonlySet<QueueRef>> {
    // Whoever comes later waits, too: a client's calls are carried out in order.
    while (this.#loading !== null) await this.#loading;
    let strangers = queues.filter((queue) => this.#isStranger(queue));
    if (strangers.length > 0 && (!this.#isLoaded || this.#driver.supports.shared)) {
      await this.#load();
      strangers = queues.filter((queue) => this.#isStranger(queue));
    }
    return new Set(strangers);
  }

  /** One that was deleted is none: what becomes of calls for it, the driver knows. */
  #isStranger({ number, name }: QueueRef): boolean {
    const known = this.#names.get(number);
    return known === undefined ? number > this.#highest : known !== name;
  }

  #load(): Promise<void> {
    this.#loading = this.#loadAll().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #loadAll(): Promise<void> {
    for (const entry of await this.#driver.topology.load()) this.#apply({ type: 'put', entry });
    this.#isLoaded = true;
  }

  #apply(change: TopologyChange): void {
    const { kind, name } = change.type === 'put' ? change.entry : change;
    const key = JSON.stringify([kind, name]);
    const former = this.#numbers.get(key);
    if (former !== undefined) this.#names.delete(former);
    if (change.type === 'removed') {
      this.#numbers.delete(key);
      return;
    }
    const { number } = change.entry;
    this.#numbers.set(key, number);
    this.#names.set(number, kind === 'queue' ? name : null);
    this.#highest = Math.max(this.#highest, number);
  }
}

function isIn(queues: ReadonlySet<QueueRef>, queue: QueueRef | null): boolean {
  return queue !== null && queues.has(queue);
}

/** The queues whose contents the call is about: a lease is known by more than its queue. */
function meant(name: CallName, request: unknown): readonly QueueRef[] {
  switch (name) {
    case 'publish':
      return targetsOf((request as RequestOf<'publish'>).items);
    case 'move':
      return targetsOf(request as RequestOf<'move'>);
    case 'take':
    case 'browse':
    case 'deleteQueue':
      return [(request as RequestOf<'take' | 'browse' | 'deleteQueue'>).queue];
    case 'counts':
    case 'purge':
      return [request as QueueRef];
    default:
      return NONE;
  }
}

/** Those that get something, or what is put out of them. */
function targetsOf(items: readonly { readonly targets: readonly QueueRef[] }[]): QueueRef[] {
  const queues = new Set<QueueRef>();
  for (const { targets } of items) {
    for (const queue of targets) {
      queues.add(queue);
      if (queue.evictTo !== null) queues.add(queue.evictTo);
    }
  }
  return [...queues];
}
