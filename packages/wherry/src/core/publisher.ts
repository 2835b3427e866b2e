import { Batcher } from './batcher.ts';
import type { Clock, Timer } from './clock.ts';
import type {
  Driver,
  NewMessage,
  PublishItem,
  PublishOutcome,
  QueueRef,
  Transaction,
} from './driver.ts';
import { ClosedError, QueueFullError, QueueNotFoundError } from './errors.ts';
import { type Events, tellEvicted } from './events.ts';
import type { Sweeper } from './sweeper.ts';
import type { Topology } from './topology.ts';
import type { Trimmer } from './trimmer.ts';
import type { Wakeups } from './wakeups.ts';

/** What a publish that was not refused came to. */
export type Published = Extract<PublishOutcome, { status: 'stored' | 'replaced' | 'duplicate' }>;

/** How a sender waits for room in a queue whose overflow is 'block'. */
export interface BlockOptions {
  /** Most milliseconds to wait. */
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

/** One object for all that there is of a send under way: there are many. */
class Entry implements PublishItem {
  readonly targets: readonly QueueRef[];
  readonly message: NewMessage;
  readonly block: BlockOptions | null;
  readonly reject: (error: unknown) => void;
  /** When the waiting for room ends; set by the first refusal. */
  deadline = Infinity;
  readonly #wants: 'outcome' | 'id';
  readonly #resolve: (answer: never) => void;

  constructor(
    targets: readonly QueueRef[],
    message: NewMessage,
    block: BlockOptions | null,
    wants: 'outcome' | 'id',
    resolve: (answer: never) => void,
    reject: (error: unknown) => void,
  ) {
    this.targets = targets;
    this.message = message;
    this.block = block;
    this.reject = reject;
    this.#wants = wants;
    this.#resolve = resolve;
  }

  resolve(published: Published): void {
    this.#resolve((this.#wants === 'id' ? published.id : published) as never);
  }
}

const MAX_BATCH = 512;
/** One batch is stored while the next is made ready. */
const MAX_CALLS = 2;
/** Room may come about without a wake-up, in another process. */
const ROOM_POLL_MS = 1_000;

export interface PublisherParts {
  readonly driver: Driver;
  readonly topology: Topology;
  readonly events: Events;
  readonly wakeups: Wakeups;
  readonly sweeper: Sweeper;
  readonly clock: Clock;
}

/** Stores messages: sends that are outstanding together become one call of the driver. */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #batcher: Batcher<Entry>;
  readonly #blocked = new Set<() => void>();
  #trimmer: Trimmer | null = null;
  #closed = false;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#batcher = new Batcher((entries) => this.#run(entries), MAX_BATCH, MAX_CALLS);
  }

  /** Who trims queues with a dead-letter exchange: made later than this, of parts that need it. */
  trimWith(trimmer: Trimmer): void {
    this.#trimmer = trimmer;
  }

  /**
   * @param block how to wait for room where a target's overflow is 'block'
   * @throws QueueFullError, QueueNotFoundError, StorageError, ClosedError
   */
  publish(item: PublishItem, block: BlockOptions | null): Promise<Published> {
    return new Promise((resolve, reject) => {
      this.#add(new Entry(item.targets, item.message, block, 'outcome', resolve, reject));
    });
  }

  /**
   * As `publish`, for the many: it makes no promise, and answers with the id alone.
   * @param resolve told the id once the message is stored
   */
  add(
    targets: readonly QueueRef[],
    message: NewMessage,
    block: BlockOptions | null,
    resolve: (id: string) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#add(new Entry(targets, message, block, 'id', resolve, reject));
  }

  /** All or none, in one call. @returns each item's outcome, the refusals too */
  async publishAtomic(
    items: readonly PublishItem[],
    transaction?: Transaction,
  ): Promise<readonly PublishOutcome[]> {
    if (transaction !== undefined) return this.publishWithin(transaction, items, true);
    this.#refuseClosed();
    // What was sent before comes first.
    await this.#batcher.drain();
    const outcomes = await this.#parts.driver.publish(items, { atomic: true });
    if (outcomes.every(isPublished)) {
      outcomes.forEach((outcome, i) => this.#stored(items[i] as PublishItem, outcome));
      await Promise.all(items.map(({ targets }) => this.#trim(targets)));
    }
    return outcomes;
  }

  /**
   * In the caller's transaction, in one call of its own. Nothing waits for room, and nothing is
   * counted or told: whether the transaction commits is not known here.
   * @returns each item's outcome, the refusals too
   */
  async publishWithin(
    transaction: Transaction,
    items: readonly PublishItem[],
    atomic = false,
  ): Promise<readonly PublishOutcome[]> {
    this.#refuseClosed();
    if (items.length === 0) return [];
    const outcomes = await this.#parts.driver.publish(items, { atomic, transaction });
    for (const item of items) this.#parts.sweeper.expectPublished(item);
    return outcomes;
  }

  /** Refuses what comes, gives up on room, and waits until what was accepted is stored. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const giveUp of this.#blocked) giveUp();
    await this.#batcher.drain();
    await this.#trimmer?.idle();
  }

  #refuseClosed(): void {
    if (this.#closed) throw new ClosedError('The message queue system');
  }

  #add(entry: Entry): void {
    if (this.#closed) entry.reject(new ClosedError('The message queue system'));
    else this.#batcher.add(entry);
  }

  async #run(entries: Entry[]): Promise<void> {
    let outcomes: readonly PublishOutcome[];
    try {
      outcomes = await this.#parts.driver.publish(entries);
    } catch (error) {
      for (const entry of entries) entry.reject(error);
      return;
    }
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      const outcome = outcomes[i] as PublishOutcome;
      if (isPublished(outcome)) {
        this.#stored(entry, outcome);
        if (this.#parts.topology.hasTrimmed && this.#isTrimmed(entry)) {
          void this.#trim(entry.targets).then(() => entry.resolve(outcome));
        } else entry.resolve(outcome);
      } else if (outcome.status === 'full' && this.#mayWait(entry, outcome.queue)) {
        this.#waitForRoom(entry, outcome);
      } else entry.reject(this.refusal(outcome));
    }
  }

  #isTrimmed({ targets }: PublishItem): boolean {
    return targets.some((target) => this.#parts.topology.isTrimmed(target));
  }

  async #trim(targets: readonly QueueRef[]): Promise<void> {
    for (const target of targets) {
      if (this.#parts.topology.isTrimmed(target)) await this.#trimmer?.trim(target.name);
    }
  }

  /** The error that a refused publish is answered with. */
  refusal(outcome: Exclude<PublishOutcome, Published>): QueueFullError | QueueNotFoundError {
    if (outcome.status === 'missing') return new QueueNotFoundError(outcome.queue);
    const settings = this.#parts.topology.findQueue(outcome.queue)?.settings;
    return new QueueFullError(outcome.queue, `${outcome.limit} ${settings?.[outcome.limit] ?? ''}`);
  }

  #stored(item: PublishItem, outcome: Published): void {
    const { events, sweeper } = this.#parts;
    const { targets } = item;
    const listens = events.listens('enqueued');
    if (outcome.status === 'stored') {
      for (let i = 0; i < targets.length; i++) {
        const queue = (targets[i] as PublishItem['targets'][number]).name;
        events.count(queue, 'enqueued');
        if (listens) events.emit('enqueued', { queue, id: outcome.ids?.[i] ?? outcome.id });
      }
    } else if (outcome.status === 'replaced' && events.listens('replaced')) {
      for (let i = 0; i < targets.length; i++) {
        const queue = (targets[i] as PublishItem['targets'][number]).name;
        const id = outcome.ids?.[i] ?? outcome.id;
        if (id !== '') events.emit('replaced', { queue, id });
      }
    }
    // A replacement may have another delay and another TTL.
    if (outcome.status !== 'duplicate') sweeper.expectPublished(item);
    tellEvicted(events, outcome.evicted);
  }

  #mayWait(entry: Entry, queueName: string): boolean {
    const overflow = this.#parts.topology.findQueue(queueName)?.settings.overflow;
    if (overflow !== 'block' || entry.block === null || this.#closed) return false;
    if (entry.block.signal?.aborted === true) return false;
    const now = this.#parts.clock.now();
    if (entry.deadline === Infinity) entry.deadline = now + entry.block.timeout;
    return now < entry.deadline;
  }

  #waitForRoom(entry: Entry, full: Extract<PublishOutcome, { status: 'full' }>): void {
    const { clock, wakeups } = this.#parts;
    const signal = entry.block?.signal;
    let timer: Timer | null = null;
    const finish = (): void => {
      timer?.cancel();
      stopListening();
      signal?.removeEventListener('abort', giveUp);
      this.#blocked.delete(giveUp);
    };
    const tryAgain = (): void => {
      finish();
      this.#batcher.add(entry);
    };
    const giveUp = (): void => {
      finish();
      entry.reject(signal?.aborted === true ? signal.reason : this.refusal(full));
    };
    const stopListening = wakeups.onRoom(full.queue, tryAgain);
    const left = entry.deadline - clock.now();
    timer = clock.setTimer(tryAgain, Math.min(left, ROOM_POLL_MS));
    signal?.addEventListener('abort', giveUp);
    this.#blocked.add(giveUp);
  }
}

/** Whether it was not refused. */
export function isPublished(outcome: PublishOutcome): outcome is Published {
  return outcome.status !== 'full' && outcome.status !== 'missing';
}
