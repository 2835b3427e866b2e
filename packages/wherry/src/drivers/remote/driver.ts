import type * as contract from '../../core/driver.ts';
import { StorageError } from '../../core/errors.ts';
import { type ConnectionSettings, Connection } from './connection.ts';
import { idMaker } from './message-ids.ts';
import { RemoteNotifier } from './notifier.ts';
import { RemoteTopology } from './topology.ts';
import { WireError } from './wire/bytes.ts';
import { MESSAGE } from './wire/messages.ts';

/** A publish is sent in parts of so many bytes: a part that is lost is sent again. */
const PART_BYTES = 4 * 1024 * 1024;
/** What a message counts towards that beside its body. */
const MESSAGE_BYTES = 256;

const TRANSACTIONS = 'the store is at the broker: a transaction of yours cannot reach into it';

/** Before the first connection nothing is known. */
const UNKNOWN: contract.Capabilities = {
  durability: 'none',
  shared: true,
  atomicFanOut: true,
  atomicBatch: true,
  transactions: TRANSACTIONS,
  partitions: 'the store is not open',
};

/** A store in another process, over one connection that is made again when it breaks. */
export class RemoteDriver implements contract.Driver {
  readonly name: string = 'remote';
  readonly topology: RemoteTopology = new RemoteTopology(() => this.#connection);
  readonly notifier: RemoteNotifier = new RemoteNotifier(() => this.#connection);
  readonly #connection: Connection;
  readonly #nextId = idMaker();
  #housekeeper: contract.Housekeeper | null = null;

  constructor(settings: ConnectionSettings) {
    this.#connection = new Connection(settings, {
      onNewHost: () => this.#lookAgain(),
      onPush: (kind, from) => {
        if (kind === MESSAGE.news) this.notifier.receive(from);
        else if (kind === MESSAGE.change) this.topology.receive(from);
        else throw new WireError('The kind of a message');
      },
    });
  }

  get supports(): contract.Capabilities {
    const { local, store } = this.#connection;
    if (local !== null) return { ...local.supports, shared: true };
    const supports = store?.supports ?? UNKNOWN;
    return { ...supports, shared: true, transactions: TRANSACTIONS, managed: true };
  }

  entrust(housekeeper: contract.Housekeeper): void {
    this.#housekeeper = housekeeper;
    this.#connection.local?.entrust?.(housekeeper);
  }

  async now(): Promise<number> {
    const { local } = this.#connection;
    return local === null ? this.#connection.call('now', undefined) : local.now();
  }

  open(): Promise<void> {
    return this.#connection.open();
  }

  async close(): Promise<void> {
    this.topology.close();
    this.notifier.close();
    await this.#connection.close();
  }

  async publish(
    items: readonly contract.PublishItem[],
    options: contract.PublishOptions = {},
  ): Promise<readonly contract.PublishOutcome[]> {
    const { local } = this.#connection;
    if (local !== null) return local.publish(items, options);
    const named = items.map((item) => this.#withId(item));
    const atomic = options.atomic === true;
    const parts = atomic ? [named] : inParts(named, this.#partBytes);
    const ends = await Promise.allSettled(
      parts.map((part) => this.#connection.call('publish', { items: part, atomic })),
    );
    const outcomes: contract.PublishOutcome[] = [];
    const failures: unknown[] = [];
    for (const end of ends) {
      if (end.status === 'fulfilled') outcomes.push(...end.value);
      else failures.push(end.reason);
    }
    if (failures.length === 0) return outcomes;
    if (parts.length === 1) throw failures[0];
    throw partlySent(failures, parts.length);
  }

  take(request: contract.TakeRequest): Promise<contract.TakeResult> {
    const { local } = this.#connection;
    return local === null ? this.#connection.call('take', request) : local.take(request);
  }

  settle(receipts: readonly contract.Receipt[]): Promise<contract.LostIndexes> {
    const { local } = this.#connection;
    return local === null ? this.#connection.call('settle', receipts) : local.settle(receipts);
  }

  release(items: readonly contract.ReleaseItem[]): Promise<contract.LostIndexes> {
    const { local } = this.#connection;
    return local === null ? this.#connection.call('release', items) : local.release(items);
  }

  move(items: readonly contract.MoveItem[]): Promise<readonly contract.MoveOutcome[]> {
    const { local } = this.#connection;
    return local === null ? this.#connection.call('move', items) : local.move(items);
  }

  extend(items: readonly contract.ExtendItem[]): Promise<contract.LostIndexes> {
    const { local } = this.#connection;
    return local === null ? this.#connection.call('extend', items) : local.extend(items);
  }

  sweep(max: number): Promise<contract.SweepResult> {
    const { local } = this.#connection;
    return local === null ? this.#connection.call('sweep', max) : local.sweep(max);
  }

  browse(request: contract.BrowseRequest): Promise<contract.BrowsePage> {
    const { local } = this.#connection;
    return local === null ? this.#connection.call('browse', request) : local.browse(request);
  }

  get(id: string): Promise<contract.StoredMessage | null> {
    const { local } = this.#connection;
    return local === null ? this.#connection.call('get', id) : local.get(id);
  }

  counts(queue: contract.QueueRef): Promise<contract.QueueCounts> {
    const { local } = this.#connection;
    return local === null ? this.#connection.call('counts', queue) : local.counts(queue);
  }

  purge(queue: contract.QueueRef): Promise<number> {
    const { local } = this.#connection;
    return local === null ? this.#connection.call('purge', queue) : local.purge(queue);
  }

  deleteQueue(
    queue: contract.QueueRef,
    options: { readonly onlyIfEmpty: boolean },
  ): Promise<{ readonly deleted: boolean; readonly messages: number }> {
    const { local } = this.#connection;
    return local === null
      ? this.#connection.call('deleteQueue', { queue, ...options })
      : local.deleteQueue(queue, options);
  }

  /** Half of what the host takes: a call is more than what is counted here. */
  get #partBytes(): number {
    return Math.min(PART_BYTES, this.#connection.frameBytes / 2);
  }

  /** Known before it is sent, so that it may be sent again to a host that knows nothing of it. */
  #withId(item: contract.PublishItem): contract.PublishItem {
    const { targets, message } = item;
    if (message.id !== undefined) return item;
    return { targets, message: { ...message, id: this.#nextId() } };
  }

  #lookAgain(): void {
    this.notifier.followAnew();
    // When it fails, the host is gone again, and the next one is asked.
    this.topology.follow().catch(() => undefined);
    const { local } = this.#connection;
    if (local === null || this.#housekeeper === null) return;
    // Whether or not others can join: somebody must sweep.
    this.#housekeeper.begin();
    local.entrust?.(this.#housekeeper);
  }
}

function inParts(
  items: readonly contract.PublishItem[],
  partBytes: number,
): (readonly contract.PublishItem[])[] {
  const parts: contract.PublishItem[][] = [];
  let bytes = Infinity;
  for (const item of items) {
    const own = item.message.bytes + MESSAGE_BYTES;
    bytes += own;
    if (bytes > partBytes) {
      parts.push([]);
      bytes = own;
    }
    parts.at(-1)!.push(item);
  }
  return parts;
}

/** Of the parts' own errors each may say that nothing was changed; of the whole it is not true. */
function partlySent(failures: readonly unknown[], parts: number): StorageError {
  const [cause] = failures;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const isLasting = failures.some((one) => !(one instanceof StorageError && one.retriable));
  return new StorageError(
    `Of ${parts} parts of a send, ${failures.length} failed; which of its messages are stored is ` +
      'not known. Send it again where that does no harm; a deduplicationId makes sure that a ' +
      `message counts once. The first failure: ${reason}`,
    { code: 'STORAGE_CONNECTION', retriable: !isLasting, cause },
  );
}
