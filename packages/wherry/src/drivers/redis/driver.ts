import type * as contract from '../../core/driver.ts';
import { browse } from './browse.ts';
import { moveInCluster } from './cluster/move.ts';
import { publishInCluster } from './cluster/publish.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import { counts } from './counts.ts';
import { extend, release, settle } from './ends.ts';
import { get } from './get.ts';
import { move } from './move.ts';
import { readOptions, type RedisDriverOptions } from './options.ts';
import { forHeld } from './partitions/held.ts';
import { concernsSpreadMoves, moveSpread } from './partitions/move.ts';
import { Places } from './partitions/places.ts';
import { concernsSpread, type Publish, publishSpread } from './partitions/publish.ts';
import { takeSpread } from './partitions/take.ts';
import { browseAll, countsOfAll, deleteAll, purgeAll } from './partitions/whole.ts';
import { publish } from './publish.ts';
import { deleteQueue } from './delete-queue.ts';
import { purge } from './purge.ts';
import { durabilityOf } from './server-facts.ts';
import { ServerStore } from './server-store.ts';
import { sweep } from './sweep.ts';
import { take } from './take.ts';

/** Queues on a Redis server, or cluster, that many processes share. */
export class RedisDriver implements contract.Driver {
  readonly name = 'redis';
  readonly #store: ServerStore;
  readonly #places: Places;

  /** @throws ValidationError when an option is wrong */
  constructor(options: RedisDriverOptions) {
    this.#store = new ServerStore(readOptions(options));
    this.#places = new Places(this.#store.topology);
  }

  get topology(): contract.TopologyStore {
    return this.#store.topology;
  }

  get notifier(): contract.Notifier {
    return this.#store.notifier;
  }

  /** How durable it is, the servers say when the store is opened. */
  get supports(): contract.Capabilities {
    return {
      durability: durabilityOf(this.#store.servers),
      shared: true,
      atomicFanOut: true,
      atomicBatch: true,
      transactions: 'a Redis transaction of yours cannot hold the scripts that change a queue',
      partitions: true,
    };
  }

  now(): Promise<number> {
    return this.#store.now();
  }

  open(): Promise<void> {
    return this.#store.open();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  publish(
    items: readonly contract.PublishItem[],
    options: contract.PublishOptions = {},
  ): Promise<readonly contract.PublishOutcome[]> {
    const publishToPlaces: Publish = (placed, how) => {
      const run = this.#store.isOnePlace ? publish : publishInCluster;
      return run(this.#store, placed, how);
    };
    if (!concernsSpread(items)) return publishToPlaces(items, options);
    return publishSpread(this.#places, publishToPlaces, items, options);
  }

  take(request: contract.TakeRequest): Promise<contract.TakeResult> {
    if (request.queue.partitions === 1) return take(this.#store, request);
    return takeSpread(this.#store, this.#places, request);
  }

  settle(receipts: readonly contract.Receipt[]): Promise<contract.LostIndexes> {
    const settleHere = (held: readonly contract.Receipt[]): Promise<contract.LostIndexes> =>
      settle(this.#store, held);
    if (!receipts.some(isOfSpread)) return settleHere(receipts);
    const own = (receipt: contract.Receipt): contract.Receipt => receipt;
    const other = (_: contract.Receipt, receipt: contract.Receipt): contract.Receipt => receipt;
    return forHeld(this.#places, this.#store.salt, receipts, own, other, settleHere);
  }

  release(items: readonly contract.ReleaseItem[]): Promise<contract.LostIndexes> {
    const releaseHere = (held: readonly contract.ReleaseItem[]): Promise<contract.LostIndexes> =>
      release(this.#store, held);
    return this.#forHeld(items, releaseHere, ({ delay, as, suspect, parked }, receipt) => ({
      receipt,
      delay,
      as,
      ...(suspect !== undefined && { suspect }),
      ...(parked !== undefined && { parked }),
    }));
  }

  move(items: readonly contract.MoveItem[]): Promise<readonly contract.MoveOutcome[]> {
    const moveHere = (placed: readonly contract.MoveItem[]) => {
      const run = this.#store.isOnePlace ? move : moveInCluster;
      return run(this.#store, placed);
    };
    if (!concernsSpreadMoves(items)) return moveHere(items);
    const parts = {
      places: this.#places,
      salt: this.#store.salt,
      move: moveHere,
      get: (id: string) => this.get(id),
    };
    return moveSpread(parts, items);
  }

  extend(items: readonly contract.ExtendItem[]): Promise<contract.LostIndexes> {
    const extendHere = (held: readonly contract.ExtendItem[]): Promise<contract.LostIndexes> =>
      extend(this.#store, held);
    return this.#forHeld(items, extendHere, ({ leaseDuration }, receipt) => {
      return { receipt, leaseDuration };
    });
  }

  async sweep(max: number): Promise<contract.SweepResult> {
    const store = this.#store;
    const swept = await (store.isOnePlace ? sweep(store, max) : store.dueQueues.sweep(max));
    const queueOf = (place: number): number => store.topology.queueOfPlace(place);
    const messages = swept.messages.map((message) => {
      const queue = queueOf(message.queue);
      return queue === message.queue ? message : { ...message, queue };
    });
    return { messages, nextIn: swept.nextIn };
  }

  browse(request: contract.BrowseRequest): Promise<contract.BrowsePage> {
    if (request.queue.partitions === 1) return browse(this.#store, request);
    return browseAll(this.#store, this.#places, request);
  }

  get(id: string): Promise<contract.StoredMessage | null> {
    return get(this.#store, id);
  }

  counts(queue: contract.QueueRef): Promise<contract.QueueCounts> {
    if (queue.partitions === 1) return counts(this.#store, queue);
    return countsOfAll(this.#store, this.#places, queue);
  }

  purge(queue: contract.QueueRef): Promise<number> {
    if (queue.partitions === 1) return purge(this.#store, queue);
    return purgeAll(this.#store, this.#places, queue);
  }

  async deleteQueue(
    queue: contract.QueueRef,
    options: { readonly onlyIfEmpty: boolean },
  ): Promise<{ readonly deleted: boolean; readonly messages: number }> {
    const { topology } = this.#store;
    try {
      const result =
        queue.partitions === 1
          ? await deleteQueue(this.#store, queue, options)
          : await deleteAll(this.#store, this.#places, queue, options);
      if (result.deleted) await topology.removeNumber(queue.number);
      return result;
    } catch (error) {
      // Whoever deleted it may have died before its entry was removed.
      const isHalfDone = error instanceof QueueNotFoundError;
      if (!isHalfDone || !(await topology.removeNumber(queue.number))) throw error;
      return { deleted: true, messages: 0 };
    }
  }

  async #forHeld<Item extends { readonly receipt: contract.Receipt }>(
    items: readonly Item[],
    call: (items: readonly Item[]) => Promise<contract.LostIndexes>,
    withReceipt: (item: Item, receipt: contract.Receipt) => Item,
  ): Promise<contract.LostIndexes> {
    if (!items.some(({ receipt }) => isOfSpread(receipt))) return call(items);
    const receiptOf = ({ receipt }: Item): contract.Receipt => receipt;
    return forHeld(this.#places, this.#store.salt, items, receiptOf, withReceipt, call);
  }
}

function isOfSpread({ queue }: contract.Receipt): boolean {
  return queue.partitions > 1;
}
