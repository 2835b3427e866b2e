import type * as contract from '../../core/driver.ts';
import { browse } from './browse.ts';
import { moveInCluster } from './cluster/move.ts';
import { publishInCluster } from './cluster/publish.ts';
import { counts } from './counts.ts';
import { extend, release, settle } from './ends.ts';
import { get } from './get.ts';
import { move } from './move.ts';
import { readOptions, type RedisDriverOptions } from './options.ts';
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

  /** @throws ValidationError when an option is wrong */
  constructor(options: RedisDriverOptions) {
    this.#store = new ServerStore(readOptions(options));
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
    const run = this.#store.isOnePlace ? publish : publishInCluster;
    return run(this.#store, items, options);
  }

  take(request: contract.TakeRequest): Promise<contract.TakeResult> {
    return take(this.#store, request);
  }

  settle(receipts: readonly contract.Receipt[]): Promise<contract.LostIndexes> {
    return settle(this.#store, receipts);
  }

  release(items: readonly contract.ReleaseItem[]): Promise<contract.LostIndexes> {
    return release(this.#store, items);
  }

  move(items: readonly contract.MoveItem[]): Promise<readonly contract.MoveOutcome[]> {
    const run = this.#store.isOnePlace ? move : moveInCluster;
    return run(this.#store, items);
  }

  extend(items: readonly contract.ExtendItem[]): Promise<contract.LostIndexes> {
    return extend(this.#store, items);
  }

  sweep(max: number): Promise<contract.SweepResult> {
    return this.#store.isOnePlace ? sweep(this.#store, max) : this.#store.dueQueues.sweep(max);
  }

  browse(request: contract.BrowseRequest): Promise<contract.BrowsePage> {
    return browse(this.#store, request);
  }

  get(id: string): Promise<contract.StoredMessage | null> {
    return get(this.#store, id);
  }

  counts(queue: contract.QueueRef): Promise<contract.QueueCounts> {
    return counts(this.#store, queue);
  }

  purge(queue: contract.QueueRef): Promise<number> {
    return purge(this.#store, queue);
  }

  async deleteQueue(
    queue: contract.QueueRef,
    options: { readonly onlyIfEmpty: boolean },
  ): Promise<{ readonly deleted: boolean; readonly messages: number }> {
    const result = await deleteQueue(this.#store, queue, options);
    if (result.deleted) await this.#store.topology.removeNumber(queue.number);
    return result;
  }
}
