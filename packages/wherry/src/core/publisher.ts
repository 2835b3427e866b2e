import { Batcher } from './batcher.ts';
import type { Clock, Timer } from './clock.ts';
import type { Driver, PublishItem, PublishOutcome } from './driver.ts';
import { ClosedError, QueueFullError, QueueNotFoundError } from './errors.ts';
import { type Events, tellEvicted } from './events.ts';
import type { Sweeper } from './sweeper.ts';
import type { Topology } from './topology.ts';
import type { Wakeups } from './wakeups.ts';

/** What a publish that was not refused came to. */
export type Published = Extract<PublishOutcome, { status: 'stored' | 'duplicate' }>;

/** How a sender waits for room in a queue whose overflow is 'block'. */
export interface BlockOptions {
  /** Most milliseconds to wait. */
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

/** How a sender is answered. */
export interface Answer {
  readonly resolve: (published: Published) => void;
  readonly reject: (error: unknown) => void;
}

interface Entry {
  readonly item: PublishItem;
  readonly answer: Answer;
  readonly block: BlockOptions | null;
  /** When the waiting for room ends; set by the first refusal. */
  deadline: number;
}

const MAX_BATCH = 1_024;
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
  #closed = false;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#batcher = new Batcher((entries) => this.#run(entries), MAX_BATCH, MAX_CALLS);
  }

  /**
   * @param block how to wait for room where a target's overflow is 'block'
   * @throws QueueFullError, QueueNotFoundError, StorageError, ClosedError
   */
  publish(item: PublishItem, block: BlockOptions | null): Promise<Published> {
    return new Promise((resolve, reject) => this.add(item, block, { resolve, reject }));
  }

  /** As `publish`, without a promise of its own: the hot path has one per message already. */
  add(item: PublishItem, block: BlockOptions | null, answer: Answer): void {
    if (this.#closed) answer.reject(new ClosedError('The message queue system'));
    else this.#batcher.add({ item, answer, block, deadline: Infinity });
  }

  /** All or none, in one call. @returns each item's outcome, the refusals too */
  async publishAtomic(items: readonly PublishItem[]): Promise<readonly PublishOutcome[]> {
    if (this.#closed) throw new ClosedError('The message queue system');
    // What was sent before comes first.
    await this.#batcher.drain();
    const outcomes = await this.#parts.driver.publish(items, { atomic: true });
    if (outcomes.every(isPublished)) {
      outcomes.forEach((outcome, i) => this.#stored(items[i] as PublishItem, outcome));
    }
    return outcomes;
  }

  /** Refuses what comes, gives up on room, and waits until what was accepted is stored. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const giveUp of this.#blocked) giveUp();
    await this.#batcher.drain();
  }

  async #run(entries: Entry[]): Promise<void> {
    let outcomes: readonly PublishOutcome[];
    try {
      outcomes = await this.#parts.driver.publish(entries.map((entry) => entry.item));
    } catch (error) {
      for (const { answer } of entries) answer.reject(error);
      return;
    }
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      const outcome = outcomes[i] as PublishOutcome;
      if (isPublished(outcome)) {
        this.#stored(entry.item, outcome);
        entry.answer.resolve(outcome);
      } else if (outcome.status === 'full' && this.#mayWait(entry, outcome.queue)) {
        this.#waitForRoom(entry, outcome);
      } else entry.answer.reject(this.refusal(outcome));
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
      sweeper.expectPublished(item);
    }
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
      entry.answer.reject(signal?.aborted === true ? signal.reason : this.refusal(full));
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
  return outcome.status === 'stored' || outcome.status === 'duplicate';
}
