import type {
  BrowsePage,
  BrowseRequest,
  Capabilities,
  Driver,
  ExtendItem,
  LostIndexes,
  MoveItem,
  MoveOutcome,
  Notifier,
  PublishItem,
  PublishOptions,
  PublishOutcome,
  QueueCounts,
  QueueRef,
  Receipt,
  ReleaseItem,
  SettleOptions,
  StoredMessage,
  SweepResult,
  TakeRequest,
  TakeResult,
  TopologyStore,
} from './driver.ts';
import { type Events, tellEvicted } from './events.ts';
import { waitOf } from './handing-out.ts';
import { isPublished } from './publisher.ts';

/**
 * A store as others are served with it: what they do is counted and told where it is served, as if
 * it had been done there. Who decides, and so who knows why a message was given back, is their side.
 */
export class CountedDriver implements Driver {
  readonly name: string;
  readonly topology: TopologyStore;
  readonly notifier: Notifier;
  readonly #driver: Driver;
  readonly #events: Events;

  constructor(driver: Driver, events: Events) {
    this.name = driver.name;
    this.topology = driver.topology;
    this.notifier = driver.notifier;
    this.#driver = driver;
    this.#events = events;
  }

  // It may change.
  get supports(): Capabilities {
    return this.#driver.supports;
  }

  async publish(
    items: readonly PublishItem[],
    options?: PublishOptions,
  ): Promise<readonly PublishOutcome[]> {
    const outcomes = await this.#driver.publish(items, options);
    for (const [i, outcome] of outcomes.entries()) {
      if (!isPublished(outcome)) continue;
      tellEvicted(this.#events, outcome.evicted);
      if (outcome.status !== 'stored') continue;
      for (const [n, { name }] of items[i]!.targets.entries()) {
        this.#arrived(name, outcome.ids?.[n] ?? outcome.id);
      }
    }
    return outcomes;
  }

  async take(request: TakeRequest): Promise<TakeResult> {
    const result = await this.#driver.take(request);
    // What is taken by its id goes to no consumer: somebody moves it.
    if (request.ids !== undefined) return result;
    const queue = request.queue.name;
    const { consumerId } = request;
    const listens = this.#events.listens('delivered');
    const waits = this.#events.waits(queue);
    for (const message of result.messages) {
      const { id, parked, deliveryCount } = message;
      if (parked !== null) continue;
      this.#events.count(queue, 'delivered');
      if (deliveryCount === 1) waits.observe(waitOf(message, request.leaseDuration));
      if (listens) this.#events.emit('delivered', { queue, id, consumerId });
    }
    return result;
  }

  async settle(receipts: readonly Receipt[], options?: SettleOptions): Promise<LostIndexes> {
    const lost = await this.#driver.settle(receipts, options);
    const listens = this.#events.listens('acknowledged');
    this.#each(receipts, lost, ({ queue: { name: queue }, id }) => {
      this.#events.count(queue, 'acknowledged');
      if (listens) this.#events.emit('acknowledged', { queue, id });
    });
    return lost;
  }

  async release(items: readonly ReleaseItem[]): Promise<LostIndexes> {
    const lost = await this.#driver.release(items);
    const receipts = items.map(({ receipt }) => receipt);
    this.#each(receipts, lost, ({ queue }, i) => {
      if (items[i]!.as === 'retry') this.#events.count(queue.name, 'retried');
    });
    return lost;
  }

  async move(items: readonly MoveItem[]): Promise<readonly MoveOutcome[]> {
    const outcomes = await this.#driver.move(items);
    for (const [i, outcome] of outcomes.entries()) {
      const { receipt, targets, death } = items[i]!;
      const queue = receipt.queue.name;
      if (outcome.status === 'lost') this.#events.count(queue, 'leaseLost');
      if (outcome.status !== 'moved') continue;
      tellEvicted(this.#events, outcome.evicted);
      for (const [n, { name }] of targets.entries()) {
        this.#arrived(name, outcome.ids[n] ?? receipt.id);
      }
      if (death !== undefined) this.#died(receipt, targets[0]?.name, death.reason);
    }
    return outcomes;
  }

  async extend(items: readonly ExtendItem[]): Promise<LostIndexes> {
    const lost = await this.#driver.extend(items);
    this.#each(
      items.map(({ receipt }) => receipt),
      lost,
      () => {},
    );
    return lost;
  }

  now(): Promise<number> {
    return this.#driver.now();
  }

  open(): Promise<void> {
    return this.#driver.open();
  }

  close(): Promise<void> {
    return this.#driver.close();
  }

  sweep(max: number): Promise<SweepResult> {
    return this.#driver.sweep(max);
  }

  browse(request: BrowseRequest): Promise<BrowsePage> {
    return this.#driver.browse(request);
  }

  get(id: string): Promise<StoredMessage | null> {
    return this.#driver.get(id);
  }

  counts(queue: QueueRef): Promise<QueueCounts> {
    return this.#driver.counts(queue);
  }

  purge(queue: QueueRef): Promise<number> {
    return this.#driver.purge(queue);
  }

  deleteQueue(
    queue: QueueRef,
    options: { readonly onlyIfEmpty: boolean },
  ): Promise<{ readonly deleted: boolean; readonly messages: number }> {
    return this.#driver.deleteQueue(queue, options);
  }

  #arrived(queue: string, id: string): void {
    this.#events.count(queue, 'enqueued');
    if (this.#events.listens('enqueued')) this.#events.emit('enqueued', { queue, id });
  }

  #died({ queue: { name: queue }, id }: Receipt, to: string | undefined, reason: Reason): void {
    if (reason === 'expired') this.#events.count(queue, 'expired');
    if (to === undefined) return;
    this.#events.count(queue, 'deadLettered');
    if (this.#events.listens('deadLettered')) {
      this.#events.emit('deadLettered', { queue, id, to, reason });
    }
  }

  #each(
    receipts: readonly Receipt[],
    lost: LostIndexes,
    done: (receipt: Receipt, index: number) => void,
  ): void {
    const gone = new Set(lost);
    for (const [i, receipt] of receipts.entries()) {
      if (gone.has(i)) this.#events.count(receipt.queue.name, 'leaseLost');
      else done(receipt, i);
    }
  }
}

type Reason = NonNullable<MoveItem['death']>['reason'];
