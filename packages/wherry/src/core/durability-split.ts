import type {
  ArrivalTaker,
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
import type { Clock } from './clock.ts';
import { appendDeath } from './deaths.ts';

/**
 * Two stores as one: queues with `durable: false` live in `volatile`, all others and the topology
 * in `durable`. A call that concerns one of them is handed on as it is.
 */
export class DurabilitySplit implements Driver {
  readonly name: string;
  readonly supports: Capabilities;
  readonly topology: TopologyStore;
  readonly notifier: Notifier;
  readonly #durable: Driver;
  readonly #volatile: Driver;
  readonly #clock: Clock;

  constructor(durable: Driver, volatile: Driver, clock: Clock) {
    this.#clock = clock;
    this.#durable = durable;
    this.#volatile = volatile;
    this.name = durable.name;
    this.supports = durable.supports;
    this.topology = durable.topology;
    this.notifier = {
      subscribe(listener) {
        const stops = [durable, volatile].map((driver) => driver.notifier.subscribe(listener));
        return () => stops.forEach((stop) => stop());
      },
      follow(queueNumber) {
        const stops = [durable, volatile].map((driver) => driver.notifier.follow?.(queueNumber));
        return () => stops.forEach((stop) => stop?.());
      },
    };
  }

  get recoveredAt(): number | null {
    return this.#durable.recoveredAt ?? null;
  }

  now(): Promise<number> {
    return this.#durable.now();
  }

  async open(): Promise<void> {
    await this.#durable.open();
    await this.#volatile.open();
  }

  async close(): Promise<void> {
    await this.#volatile.close();
    await this.#durable.close();
  }

  async publish(
    items: readonly PublishItem[],
    options?: PublishOptions,
  ): Promise<readonly PublishOutcome[]> {
    const isVolatile = ({ targets }: PublishItem): boolean => targets.every(volatileRef);
    const isDurable = ({ targets }: PublishItem): boolean => !targets.some(volatileRef);
    if (items.every(isDurable)) return this.#durable.publish(items, options);
    if (items.every(isVolatile)) return this.#volatile.publish(items, options);
    const mixed = (item: PublishItem): boolean => !isDurable(item) && !isVolatile(item);
    return scatter(items, [
      [isDurable, (part) => this.#durable.publish(part, options)],
      [isVolatile, (part) => this.#volatile.publish(part, options)],
      [mixed, (part) => Promise.all(part.map((item) => this.#publishToBoth(item)))],
    ]);
  }

  take(request: TakeRequest): Promise<TakeResult> {
    return this.#of(request.queue).take(request);
  }

  takeArrivals(queue: QueueRef, taker: ArrivalTaker): () => void {
    return this.#of(queue).takeArrivals?.(queue, taker) ?? nothing;
  }

  settleAtOnce(receipt: Receipt): boolean {
    return this.#of(receipt.queue).settleAtOnce?.(receipt) ?? false;
  }

  settle(receipts: readonly Receipt[], options?: SettleOptions): Promise<LostIndexes> {
    return this.#split(receipts, queueOfReceipt, (driver, part) => driver.settle(part, options));
  }

  release(items: readonly ReleaseItem[]): Promise<LostIndexes> {
    return this.#split(items, queueOfItem, (driver, part) => driver.release(part));
  }

  extend(items: readonly ExtendItem[]): Promise<LostIndexes> {
    return this.#split(items, queueOfItem, (driver, part) => driver.extend(part));
  }

  async move(items: readonly MoveItem[]): Promise<readonly MoveOutcome[]> {
    const stays = (driver: Driver) => (item: MoveItem) =>
      this.#of(item.receipt.queue) === driver &&
      item.targets.every((target) => this.#of(target) === driver);
    const isDurable = stays(this.#durable);
    const isVolatile = stays(this.#volatile);
    const crosses = (item: MoveItem): boolean => !isDurable(item) && !isVolatile(item);
    return scatter(items, [
      [isDurable, (part) => this.#durable.move(part)],
      [isVolatile, (part) => this.#volatile.move(part)],
      [crosses, (part) => Promise.all(part.map((item) => this.#moveAcross(item)))],
    ]);
  }

  async sweep(max: number): Promise<SweepResult> {
    const results = await Promise.all([this.#durable.sweep(max), this.#volatile.sweep(max)]);
    const waits = results.map(({ nextIn }) => nextIn ?? Infinity);
    const nextIn = Math.min(...waits);
    return {
      messages: results.flatMap(({ messages }) => messages),
      nextIn: nextIn === Infinity ? null : nextIn,
    };
  }

  browse(request: BrowseRequest): Promise<BrowsePage> {
    return this.#of(request.queue).browse(request);
  }

  async get(id: string): Promise<StoredMessage | null> {
    return (await this.#volatile.get(id)) ?? this.#durable.get(id);
  }

  counts(queue: QueueRef): Promise<QueueCounts> {
    return this.#of(queue).counts(queue);
  }

  purge(queue: QueueRef): Promise<number> {
    return this.#of(queue).purge(queue);
  }

  async deleteQueue(
    queue: QueueRef,
    options: { readonly onlyIfEmpty: boolean },
  ): Promise<{ readonly deleted: boolean; readonly messages: number }> {
    if (queue.durable) return this.#durable.deleteQueue(queue, options);
    const result = await this.#volatile.deleteQueue(queue, options);
    if (result.deleted) await this.#durable.deleteQueue(queue, options);
    return result;
  }

  #of(queue: QueueRef): Driver {
    return queue.durable ? this.#durable : this.#volatile;
  }

  /**
   * Durable copies first: if the process dies in between, the others would be gone anyway. That
   * there is room for those is looked at before, so that a refusal leaves no trace. (If that room
   * is taken within the commit, the volatile copy is dropped, and told as such.)
   */
  async #publishToBoth(item: PublishItem): Promise<PublishOutcome> {
    const { targets, message } = item;
    const early = { targets: targets.filter((target) => !volatileRef(target)), message };
    const late = { targets: targets.filter(volatileRef), message };
    for (const target of late.targets) {
      const refusal = await this.#refusal(target, message.bytes);
      if (refusal !== null) return refusal;
    }
    const [first] = (await this.#durable.publish([early])) as [PublishOutcome];
    if (first.status === 'full' || first.status === 'missing') return first;
    const [second] = (await this.#volatile.publish([late])) as [PublishOutcome];
    if (second.status === 'full' || second.status === 'missing') {
      const dropped = late.targets.map(({ name }) => ({
        id: first.id,
        queue: name,
        movedTo: null,
      }));
      return { ...first, evicted: [...(first.evicted ?? []), ...dropped] };
    }
    const firstIds = first.ids ?? [first.id];
    const secondIds = second.ids ?? [second.id];
    const ids = targets.map((target) => {
      const [queues, ofQueues] = volatileRef(target)
        ? [late.targets, secondIds]
        : [early.targets, firstIds];
      return ofQueues[queues.indexOf(target)]!;
    });
    const statuses = new Set([first.status, second.status]);
    const status = ORDER_OF_STATUS.find((one) => statuses.has(one))!;
    const evicted = [...(first.evicted ?? []), ...(second.evicted ?? [])];
    return { status, id: ids[0]!, ids, evicted };
  }

  /** Whether a volatile queue would refuse a message of this size now. */
  async #refusal(queue: QueueRef, bytes: number): Promise<PublishOutcome | null> {
    if (queue.overflow !== 'reject') return null;
    const counts = await this.#volatile.counts(queue);
    const isBoundOnAll = queue.boundOn === 'stored';
    const size = counts.ready + counts.scheduled + (isBoundOnAll ? counts.leased : 0);
    if (size >= queue.maxSize) return { status: 'full', queue: queue.name, limit: 'maxSize' };
    // What waits may be nothing of all that is stored.
    if ((isBoundOnAll ? counts.bytes : 0) + bytes <= queue.maxBytes) return null;
    return { status: 'full', queue: queue.name, limit: 'maxBytes' };
  }

  /** In both for a moment, under one id: stored at the target first, then settled at the source. */
  async #moveAcross({ receipt, targets, death }: MoveItem): Promise<MoveOutcome> {
    const source = this.#of(receipt.queue);
    const stored = await source.get(receipt.id);
    if (stored === null || stored.lease?.token !== receipt.token) return { status: 'lost' };
    const now = this.#clock.now();
    const deaths = death === undefined ? stored.deaths : appendDeath(stored.deaths, death, now);
    const { id, encoding, body, bytes, properties, priority, groupId } = stored;
    const content = { id, encoding, body, bytes, properties, priority, groupId, deaths };
    const message = { ...content, delay: 0, deliverAt: null, ttl: null, deduplicationId: null };
    const [outcome] = (await this.publish([{ targets, message }])) as [PublishOutcome];
    if (outcome.status === 'full' || outcome.status === 'missing') {
      return { status: outcome.status, queue: outcome.queue };
    }
    const lost = await source.settle([receipt]);
    return lost.length > 0
      ? { status: 'lost' }
      : { status: 'moved', ids: outcome.ids ?? [outcome.id], evicted: outcome.evicted ?? [] };
  }

  async #split<Item>(
    items: readonly Item[],
    queueOf: (item: Item) => QueueRef,
    call: (driver: Driver, part: readonly Item[]) => Promise<LostIndexes>,
  ): Promise<LostIndexes> {
    // Mostly all of a batch is in one store.
    const first = items[0] === undefined || queueOf(items[0]).durable;
    if (items.every((item) => queueOf(item).durable === first)) {
      return call(first ? this.#durable : this.#volatile, items);
    }
    const lost: number[] = [];
    for (const driver of [this.#durable, this.#volatile]) {
      const indexes = items.flatMap((item, i) => (this.#of(queueOf(item)) === driver ? [i] : []));
      const part = indexes.map((i) => items[i] as Item);
      for (const i of await call(driver, part)) lost.push(indexes[i]!);
    }
    return lost;
  }
}

/** What a publish to both stores came to is the first of these that one of them says. */
const ORDER_OF_STATUS = ['stored', 'replaced', 'duplicate'] as const;

function volatileRef(queue: QueueRef): boolean {
  return !queue.durable;
}

function queueOfReceipt(receipt: Receipt): QueueRef {
  return receipt.queue;
}

function queueOfItem(item: { readonly receipt: Receipt }): QueueRef {
  return item.receipt.queue;
}

type Part<Item, Outcome> = readonly [
  chosen: (item: Item) => boolean,
  call: (part: readonly Item[]) => Promise<readonly Outcome[]>,
];

/** Calls each part with the items it chooses, and puts the answers in the items' order. */
async function scatter<Item, Outcome>(
  items: readonly Item[],
  parts: readonly Part<Item, Outcome>[],
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [chosen, call] of parts) {
    const indexes = items.flatMap((item, i) => (chosen(item) ? [i] : []));
    if (indexes.length === 0) continue;
    const answers = await call(indexes.map((i) => items[i] as Item));
    indexes.forEach((index, i) => (outcomes[index] = answers[i] as Outcome));
  }
  return outcomes;
}

function nothing(): void {}
