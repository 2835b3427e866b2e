import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type * as contract from '../../core/driver.ts';
import { ClosedError, MessageQueueError, StorageError } from '../../core/errors.ts';
import { browse } from './browse.ts';
import { causeOf } from './committer.ts';
import { extend, release, settle } from './ends.ts';
import { openFormat, refuseNewer } from './format.ts';
import { bury, digOn } from './graveyard.ts';
import { findById, toStored } from './lookup.ts';
import { move } from './move.ts';
import { LmdbNotifier } from './notifier.ts';
import { oldestTimestamp } from './oldest.ts';
import { OnTheWay } from './on-the-way.ts';
import { acquire, release as letGo, reserve } from './owner.ts';
import { Purge } from './purge.ts';
import { restore } from './restore.ts';
import { Sending } from './sending.ts';
import { LmdbStore } from './store.ts';
import { nextIn, sweep } from './sweep.ts';
import { DATA_FILE, openRoot, type Root } from './tables.ts';
import { take, takeBetween } from './take.ts';
import { LmdbTopology } from './topology.ts';

export interface LmdbDriverOptions {
  /** The folder; made when it is not there. One process owns it while it is open. */
  readonly path: string;
  readonly clock: Clock;
}

interface Opened {
  readonly store: LmdbStore;
  readonly root: Root;
  readonly instance: string;
  readonly giveBack: () => void;
}

/** The embedded store: LMDB in a folder, every commit synced before a call resolves. */
export class LmdbDriver implements contract.Driver {
  readonly name = 'lmdb';
  readonly supports: contract.Capabilities = {
    durability: 'power',
    shared: false,
    atomicFanOut: true,
    atomicBatch: true,
    transactions: 'the folder belongs to this process: a transaction of yours cannot reach into it',
    partitions: 'a folder is one place: it has no cluster to spread a queue over',
  };
  readonly topology: LmdbTopology = new LmdbTopology(() => this.#store());
  readonly notifier: LmdbNotifier = new LmdbNotifier();
  readonly #path: string;
  readonly #clock: Clock;
  #opened: Opened | null = null;
  #recoveredAt: number | null = null;
  #isClosing = false;
  /** The removal of what deleted queues left, on its way. */
  #digging: Promise<void> = Promise.resolve();

  constructor({ path, clock }: LmdbDriverOptions) {
    this.#path = resolve(path);
    this.#clock = clock;
  }

  get recoveredAt(): number | null {
    return this.#recoveredAt;
  }

  async now(): Promise<number> {
    return this.#store().now();
  }

  async open(): Promise<void> {
    if (this.#opened !== null) return;
    const path = this.#path;
    const giveBack = reserveFolder(path);
    let root: Root | null = null;
    let instance: string | null = null;
    try {
      root = openFolder(path);
      refuseNewer(root, path);
      const acquired = acquire(root, path);
      ({ instance } = acquired);
      const { tables, facts } = await openFormat(root, path);
      const store = new LmdbStore(tables, facts, this.#clock, path, this.notifier);
      await restore(store, path);
      this.#recoveredAt = acquired.wasAbandoned ? store.now() : null;
      this.#opened = { store, root, instance, giveBack };
      this.#isClosing = false;
      this.#dig(store);
    } catch (error) {
      const isOurs = error instanceof MessageQueueError;
      if (root !== null && instance !== null) await letGo(root, instance, isOurs);
      await root?.close();
      giveBack();
      throw isOurs ? error : cannotOpen(path, await causeOf(error));
    }
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    if (opened === null || this.#isClosing) return;
    this.#isClosing = true;
    const { store, root, instance, giveBack } = opened;
    await this.#digging;
    await store.finish();
    await letGo(root, instance, store.committer.failure === null);
    this.#opened = null;
    await root.close();
    giveBack();
  }

  async publish(
    items: readonly contract.PublishItem[],
    options: contract.PublishOptions = {},
  ): Promise<readonly contract.PublishOutcome[]> {
    const store = this.#store();
    let weight = 0;
    for (const { targets, message } of items) weight += (message.bytes + 256) * targets.length;
    const sending = new Sending(store, items, options.atomic === true);
    try {
      sending.begin();
      return await store.committer.write(() => sending.run(), { weight, shrinking: sending });
    } finally {
      sending.end();
    }
  }

  async take(request: contract.TakeRequest): Promise<contract.TakeResult> {
    const store = this.#store();
    const queue = store.queue(request.queue);
    if (request.ids === undefined && !queue.mayTake(request.queue, store.now())) {
      return { messages: [], retryIn: null };
    }
    const isEarly = request.early === true;
    if (isEarly) {
      const taken = store.committer.between(() => takeBetween(store, request));
      if (taken) return taken;
    }
    return store.committer.write(() => take(store, request), { isEarly });
  }

  takeArrivals(queue: contract.QueueRef, taker: contract.ArrivalTaker): () => void {
    const store = this.#store();
    let stop: (() => void) | null = () => {};
    // What is on its way to the queue already comes first.
    void store.committer
      .read(() => {
        if (stop !== null) stop = store.takers.add(queue, taker);
      })
      .catch(() => {});
    return () => {
      stop?.();
      stop = null;
    };
  }

  settleAtOnce(receipt: contract.Receipt): boolean {
    return !this.#isClosing && (this.#opened?.store.transit.settle(receipt) ?? false);
  }

  async settle(receipts: readonly contract.Receipt[]): Promise<contract.LostIndexes> {
    const store = this.#store();
    return store.committer.write(() => settle(store, receipts));
  }

  async release(items: readonly contract.ReleaseItem[]): Promise<contract.LostIndexes> {
    const store = this.#store();
    const onTheWay = new OnTheWay(store);
    for (const { receipt } of items) onTheWay.add(receipt.queue);
    const run = (): contract.LostIndexes => {
      onTheWay.arrive();
      return release(store, items);
    };
    try {
      return await store.committer.write(run);
    } finally {
      onTheWay.end();
    }
  }

  async move(items: readonly contract.MoveItem[]): Promise<readonly contract.MoveOutcome[]> {
    const store = this.#store();
    return store.committer.write(() => move(store, items));
  }

  async extend(items: readonly contract.ExtendItem[]): Promise<contract.LostIndexes> {
    const store = this.#store();
    return store.committer.write(() => extend(store, items));
  }

  async sweep(max: number): Promise<contract.SweepResult> {
    const store = this.#store();
    const due = await store.committer.read(() => nextIn(store));
    if (due !== 0) return { messages: [], nextIn: due };
    return store.committer.write(() => sweep(store, max));
  }

  async browse(request: contract.BrowseRequest): Promise<contract.BrowsePage> {
    const store = this.#store();
    return store.committer.read(() => browse(store, request));
  }

  async get(id: string): Promise<contract.StoredMessage | null> {
    const store = this.#store();
    return store.committer.read(() => {
      const found = findById(store, id);
      return found === null ? null : toStored(found);
    });
  }

  async counts(ref: contract.QueueRef): Promise<contract.QueueCounts> {
    const store = this.#store();
    return store.committer.read(() => {
      const queue = store.queue(ref);
      const { ready, scheduled, leases, counters, arrived } = queue;
      const oldest = oldestTimestamp(store, queue);
      return {
        ready,
        scheduled,
        leased: leases.size,
        bytes: counters.bytes,
        oldestTimestamp: oldest,
        arrived,
      };
    });
  }

  async purge(ref: contract.QueueRef): Promise<number> {
    const store = this.#store();
    const purge = await store.committer.read(() => new Purge(store, store.queue(ref), ref));
    while (await store.committer.write(() => purge.removeSome()));
    return purge.removed;
  }

  async deleteQueue(
    ref: contract.QueueRef,
    options: { readonly onlyIfEmpty: boolean },
  ): Promise<{ readonly deleted: boolean; readonly messages: number }> {
    const store = this.#store();
    const answer = await store.committer.write(() => {
      const queue = store.queue(ref);
      const messages = queue.counters.total;
      if (options.onlyIfEmpty && messages > 0) return { deleted: false, messages };
      bury(store, queue);
      this.topology.removeQueue(store, ref);
      return { deleted: true, messages };
    });
    if (answer.deleted) this.#dig(store);
    return answer;
  }

  #store(): LmdbStore {
    if (this.#opened === null || this.#isClosing)
      throw new ClosedError(`The store '${this.#path}'`);
    return this.#opened.store;
  }

  /** What stops it, a full disk say, is no one's answer: it goes on at the next deletion or open. */
  #dig(store: LmdbStore): void {
    this.#digging = this.#digging
      .then(() => digOn(store, () => this.#isClosing))
      .catch((error: unknown) => {
        if (!(error instanceof MessageQueueError)) throw error;
      });
  }
}

function reserveFolder(path: string): () => void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw cannotOpen(path, error);
  }
  return reserve(path);
}

function openFolder(path: string): Root {
  const isNew = !existsSync(join(path, DATA_FILE));
  const root = openRoot(path);
  // The files' names must survive a power cut too.
  if (isNew) for (const folder of [path, dirname(path)]) syncFolder(folder);
  return root;
}

function cannotOpen(path: string, cause: unknown): StorageError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StorageError(
    `The store '${path}' cannot be opened (${reason}). Name a folder that this user may write to, ` +
      'on a disk that works and has room.',
    { code: 'STORAGE_OPEN', cause },
  );
}

function syncFolder(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
