import { randomInt } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type * as contract from '../../core/driver.ts';
import { NEVER } from '../../core/driver.ts';
import { ClosedError } from '../../core/errors.ts';
import { QUEUE_TAG_LIMIT } from '../../core/message-id.ts';
import { browse } from './browse.ts';
import { move } from './move.ts';
import { publishAll, publishEach } from './publish.ts';
import { frozenDeath, type MessageRecord, toStoredMessage } from './record.ts';
import { sweep } from './sweep.ts';
import { MemoryStore } from './store.ts';
import { take } from './take.ts';
import { MemoryTopology } from './topology.ts';

export interface MemoryDriverOptions {
  readonly clock: Clock;
}

/**
 * A store in this process's memory: the readable reference for the contract in `core/driver.ts`,
 * and what queues with `durable: false` live in. Nothing survives `close`.
 *
 * A queue need not be in this driver's own topology: it may be another's.
 */
export function createMemoryDriver(options: MemoryDriverOptions): contract.Driver {
  return new MemoryDriver(options.clock);
}

/** Each call does its work at once, before anybody else's: that makes it atomic. */
class MemoryDriver implements contract.Driver {
  readonly name = 'memory';
  readonly supports: contract.Capabilities = {
    durability: 'none',
    shared: false,
    atomicFanOut: true,
    atomicBatch: true,
    transactions: 'the memory store is no database: there is no transaction of yours to join',
    partitions: 'the memory store is one place: it has no cluster to spread a queue over',
  };
  readonly topology = new MemoryTopology();
  readonly notifier: contract.Notifier;
  readonly #held: MemoryStore;
  #isOpen = false;

  constructor(clock: Clock) {
    this.#held = new MemoryStore(clock, randomInt(QUEUE_TAG_LIMIT));
    this.notifier = this.#held.notifier;
  }

  async now(): Promise<number> {
    return this.#held.clock.now();
  }

  async open(): Promise<void> {
    this.#isOpen = true;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#held.clear();
    this.topology.clear();
  }

  async publish(
    items: readonly contract.PublishItem[],
    options: contract.PublishOptions = {},
  ): Promise<readonly contract.PublishOutcome[]> {
    const store = this.#store();
    return options.atomic === true ? publishAll(store, items) : publishEach(store, items);
  }

  async take(request: contract.TakeRequest): Promise<contract.TakeResult> {
    return take(this.#store(), request);
  }

  async settle(receipts: readonly contract.Receipt[]): Promise<contract.LostIndexes> {
    const store = this.#store();
    return this.#forHeld(receipts, (record, index, now) => {
      store.remove(record, receipts[index]!.queue, now);
    });
  }

  async release(items: readonly contract.ReleaseItem[]): Promise<contract.LostIndexes> {
    const store = this.#store();
    return this.#forHeld(
      items.map((item) => item.receipt),
      (record, index, now) => {
        const { receipt } = items[index]!;
        record.queue.release(record, receipt.queue.groupMaxInFlight, now, () => {
          applyRelease(record, items[index]!, now);
        });
        if (record.queue.hasReady) store.notifier.notify(record.queue.number, 'ready');
      },
    );
  }

  async move(items: readonly contract.MoveItem[]): Promise<readonly contract.MoveOutcome[]> {
    const store = this.#store();
    return items.map((item) => move(store, item));
  }

  async extend(items: readonly contract.ExtendItem[]): Promise<contract.LostIndexes> {
    return this.#forHeld(
      items.map((item) => item.receipt),
      (record, index, now) => record.queue.extend(record, now + items[index]!.leaseDuration),
    );
  }

  async sweep(max: number): Promise<contract.SweepResult> {
    return sweep(this.#store(), max);
  }

  async browse(request: contract.BrowseRequest): Promise<contract.BrowsePage> {
    return browse(this.#store(), request);
  }

  async get(id: string): Promise<contract.StoredMessage | null> {
    const record = this.#store().messages.get(id);
    return record === undefined ? null : toStoredMessage(record);
  }

  async counts(queue: contract.QueueRef): Promise<contract.QueueCounts> {
    return this.#store().queue(queue).counts();
  }

  async purge(ref: contract.QueueRef): Promise<number> {
    const store = this.#store();
    const now = store.clock.now();
    const unheld = [...store.queue(ref).stored()].filter((record) => record.state !== 'leased');
    for (const record of unheld) store.remove(record, ref, now);
    return unheld.length;
  }

  async deleteQueue(
    ref: contract.QueueRef,
    options: { readonly onlyIfEmpty: boolean },
  ): Promise<{ readonly deleted: boolean; readonly messages: number }> {
    const store = this.#store();
    const queue = store.queue(ref);
    if (options.onlyIfEmpty && queue.size > 0) return { deleted: false, messages: queue.size };
    const messages = store.deleteQueue(queue);
    this.topology.removeNumber(ref.number);
    return { deleted: true, messages };
  }

  #store(): MemoryStore {
    if (!this.#isOpen) throw new ClosedError('The memory store');
    return this.#held;
  }

  /** @returns the indexes of receipts that do not prove the present lease (G4) */
  #forHeld(
    receipts: readonly contract.Receipt[],
    act: (record: MessageRecord, index: number, now: number) => void,
  ): contract.LostIndexes {
    const store = this.#store();
    const now = store.clock.now();
    const lost: number[] = [];
    for (const [index, receipt] of receipts.entries()) {
      const record = store.held(receipt, now);
      if (record === undefined) lost.push(index);
      else act(record, index, now);
    }
    return lost;
  }
}

/** What a delivery that ended without being settled leaves behind. */
function applyRelease(record: MessageRecord, item: contract.ReleaseItem, now: number): void {
  record.availableAt = Math.min(now + item.delay, NEVER);
  if (item.as !== 'unstarted') record.deliveryCount += 1;
  if (item.as === 'retry') record.retryCount += 1;
  // Only a delivery that ended well for its holder clears the suspicion.
  record.suspect = item.suspect ?? (item.as === 'unstarted' && record.suspect);
  if (item.parked !== undefined) record.parked = item.parked && frozenDeath(item.parked);
}
