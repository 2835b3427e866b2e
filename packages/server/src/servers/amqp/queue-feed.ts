import { type BrokerPort, type HeldMessage, QueueNotFoundError } from 'wherry';

/** Most messages that are taken in one call. */
export const TAKE_MAX = 512;
/** About as many bytes are taken in one call: more than a client reads at once would go back. */
const TAKE_BYTES = 1024 * 1024;
/** How fast a guess of what messages weigh follows heavier ones, and lighter ones. */
const HEAVIER = 1 / 2;
const LIGHTER = 1 / 32;
/** Wake-ups are hints: so often a queue is looked at without one. */
const LOOK_EVERY_MS = 5_000;
const ERROR_DELAY_MS = 1_000;

/** Somebody who wants messages of a queue. */
export interface FeedConsumer {
  /** Those with a higher one are served first. */
  readonly priority: number;
  /** How many messages it may get now. */
  readonly credit: number;
  /** What all that name it may have together; null: each has its own credit. */
  readonly shares: { readonly room: number } | null;
  /** Is asked only while it has credit. @throws DeserializationError, and nothing was delivered */
  deliver(held: HeldMessage): void;
}

export interface FeedParts {
  readonly port: BrokerPort;
  /** As whom messages are taken. */
  readonly holder: string;
  /** Milliseconds. */
  readonly leaseDuration: number;
  /** Told how each settlement ended that nobody waits for. */
  readonly settled: (error: Error | null) => void;
  readonly failed: (queue: string, error: unknown) => void;
  /** The last consumer has gone. */
  readonly idle: (feed: QueueFeed) => void;
}

/** Consumers of equal priority, and whose turn it is. */
interface Level {
  readonly priority: number;
  readonly consumers: FeedConsumer[];
  turn: number;
}

/**
 * Hands out a queue's messages to the consumers that it has at this broker: one call takes for all
 * of them, as many as they may have; each message goes to the next in turn that has credit.
 */
export class QueueFeed {
  readonly queue: string;
  /** Whether its deliveries tell how often the message failed. */
  readonly isQuorum: boolean;
  readonly #parts: FeedParts;
  /** The highest priority first. */
  readonly #levels: Level[] = [];
  #unlisten: () => void = () => {};
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;
  #isScheduled = false;
  #isTaking = false;
  /** A wake-up came while messages were being taken. */
  #isWoken = false;
  /** There was nothing, and nobody has said since that there is: more credit is of no use. */
  #isDry = false;
  #size = 0;
  /** The store failed: it is asked again when the time has come, and not before. */
  #isResting = false;
  /** What a message weighs, lately; at first few are taken, in case they are heavy. */
  #bytes = TAKE_BYTES / 8;

  constructor(queue: string, isQuorum: boolean, parts: FeedParts) {
    this.queue = queue;
    this.isQuorum = isQuorum;
    this.#parts = parts;
  }

  add(consumer: FeedConsumer): void {
    if (this.#levels.length === 0) this.#begin();
    const { priority } = consumer;
    let at = this.#levels.findIndex((level) => level.priority <= priority);
    if (at < 0) at = this.#levels.length;
    if (this.#levels[at]?.priority !== priority) {
      this.#levels.splice(at, 0, { priority, consumers: [], turn: 0 });
    }
    this.#levels[at]!.consumers.push(consumer);
    this.#size++;
    this.#ready();
  }

  remove(consumer: FeedConsumer): void {
    const at = this.#levels.findIndex(({ consumers }) => consumers.includes(consumer));
    if (at < 0) {
      if (this.#levels.length === 0) this.#parts.idle(this);
      return;
    }
    const level = this.#levels[at]!;
    const place = level.consumers.indexOf(consumer);
    level.consumers.splice(place, 1);
    this.#size--;
    if (place < level.turn) level.turn--;
    if (level.consumers.length === 0) this.#levels.splice(at, 1);
    if (this.#levels.length === 0) this.#end();
  }

  /** Whether there is credit, and nothing was left when it was last looked. */
  get isWaiting(): boolean {
    return this.#isDry && this.#wanted() > 0;
  }

  /** A consumer may have more than before. */
  wake(): void {
    if (!this.#isDry) this.#schedule();
  }

  /** The queue may have messages. */
  readonly #ready = (): void => {
    this.#isDry = false;
    this.#schedule();
  };

  #schedule(): void {
    this.#isWoken = true;
    if (this.#isScheduled || this.#isTaking || this.#isResting) return;
    this.#isScheduled = true;
    // What a client says in one go gives its credit in one go.
    queueMicrotask(this.#look);
  }

  /** Nothing more is taken. */
  close(): void {
    this.#isClosed = true;
    this.#unlisten();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #begin(): void {
    this.#isClosed = false;
    this.#isResting = false;
    this.#unlisten = this.#parts.port.onReady(this.queue, this.#ready);
    this.#sleep(LOOK_EVERY_MS);
  }

  #end(): void {
    this.close();
    this.#parts.idle(this);
  }

  readonly #look = (): void => {
    this.#isScheduled = false;
    if (this.#isTaking || this.#isClosed) return;
    const max = this.#wanted();
    if (max > 0) void this.#take(max);
  };

  /** How many messages all consumers together may have, up to what one call takes. */
  #wanted(): number {
    const most = Math.min(TAKE_MAX, Math.max(1, Math.floor(TAKE_BYTES / this.#bytes)));
    let sum = 0;
    let used: Map<object, number> | null = null;
    for (const { consumers } of this.#levels) {
      for (const consumer of consumers) {
        let { credit } = consumer;
        if (credit <= 0) continue;
        const { shares } = consumer;
        if (this.#size > 1 && shares !== null) {
          used ??= new Map();
          const before = used.get(shares) ?? 0;
          credit = Math.min(credit, shares.room - before);
          used.set(shares, before + credit);
        }
        sum += credit;
        if (sum >= most) return most;
      }
    }
    return sum;
  }

  async #take(max: number): Promise<void> {
    const { port, holder, leaseDuration, failed } = this.#parts;
    this.#isTaking = true;
    this.#isWoken = false;
    // What comes from now on is told of after this.
    this.#isDry = false;
    let isEmpty = false;
    let wait = LOOK_EVERY_MS;
    try {
      const { messages, retryIn } = await port.take(this.queue, {
        consumerId: holder,
        max,
        leaseDuration,
        bound: true,
      });
      this.#handOut(messages);
      // There may be more behind those, also when they were fewer than asked for.
      if (messages.length > 0) this.#isWoken = true;
      else if (retryIn === null) isEmpty = true;
      else wait = Math.min(wait, retryIn);
    } catch (error) {
      // A queue that is gone is told of otherwise; the rest may pass.
      if (!(error instanceof QueueNotFoundError)) failed(this.queue, error);
      this.#isWoken = false;
      this.#isResting = true;
      wait = ERROR_DELAY_MS;
    }
    this.#isTaking = false;
    if (this.#isWoken) this.#schedule();
    else if (wait < LOOK_EVERY_MS) this.#sleep(wait);
    else this.#isDry = isEmpty;
  }

  #handOut(messages: readonly HeldMessage[]): void {
    const { port, settled } = this.#parts;
    for (const held of messages) {
      const heavier = held.stored.bytes - this.#bytes;
      this.#bytes += heavier * (heavier > 0 ? HEAVIER : LIGHTER);
      const consumer = this.#next();
      if (consumer === null) {
        port.giveBack(held, 'unstarted', settled);
        continue;
      }
      try {
        consumer.deliver(held);
      } catch (error) {
        this.#parts.failed(this.queue, error);
        port.fail(held, 'rejected', settled);
      }
    }
  }

  /** Who gets the next message. */
  #next(): FeedConsumer | null {
    for (const level of this.#levels) {
      const { consumers } = level;
      for (let i = 0; i < consumers.length; i++) {
        const at = (level.turn + i) % consumers.length;
        const consumer = consumers[at]!;
        if (consumer.credit <= 0) continue;
        level.turn = at + 1;
        return consumer;
      }
    }
    return null;
  }

  #sleep(ms: number): void {
    if (this.#isClosed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#wakeByTime, ms);
    this.#timer.unref();
  }

  readonly #wakeByTime = (): void => {
    this.#sleep(LOOK_EVERY_MS);
    this.#isResting = false;
    // Without credit nothing is taken; yet a queue with consumers is in use.
    this.#parts.port.touch(this.queue);
    this.#ready();
  };
}
