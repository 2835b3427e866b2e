import { type BrokerPort, type HeldMessage, QueueNotFoundError } from 'wherry';
import type { Acknowledgements } from './acknowledgements.ts';
import type { LeaseEnds } from './lease-ends.ts';
import { Outstanding } from './outstanding.ts';
import { TakingAhead } from './taking-ahead.ts';

/** Most messages that are taken in one call. */
export const TAKE_MAX = 512;
/** About as many bytes are taken in one call: more than a client reads at once would go back. */
const TAKE_BYTES = 1024 * 1024;
/** How fast a guess of what messages weigh follows heavier ones, and lighter ones. */
const HEAVIER = 1 / 2;
const LIGHTER = 1 / 32;
/** Wake-ups are hints: so often a queue is looked at without one. */
const LOOK_EVERY_MS = 5_000;
/** Of more consumers than that, not all are looked at for each message. */
const COMPARED_MAX = 64;
const ERROR_DELAY_MS = 1_000;
/** Where others send on and on, nobody waits for the end of it. */
const CALLS_AWAITED = 8;

/** What several consumers may have together. */
interface SharedRoom {
  readonly room: number;
  /** Consumers of other queues wait for it as well: no queue may be first each time. */
  readonly isRationed: boolean;
}

/** Somebody who wants messages of a queue. */
export interface FeedConsumer {
  /** Those with a higher one are served first. */
  readonly priority: number;
  /** How many messages it may get now. */
  readonly credit: number;
  /** Messages that its client has, and has not settled. */
  readonly inHand: number;
  /** What all that name it may have together; null: each has its own credit. */
  readonly shares: SharedRoom | null;
  /** Is asked only while it has credit. @throws what cannot be delivered */
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
  readonly acknowledgements: Acknowledgements;
  readonly leases: LeaseEnds;
  readonly failed: (queue: string, error: unknown) => void;
  /** Told of a message that no client can be given. */
  readonly undeliverable: (held: HeldMessage, error: unknown) => void;
  /** Whether messages may be taken that nobody may have yet. */
  readonly mayTakeAhead: () => boolean;
  /** The last consumer has gone. */
  readonly idle: (feed: QueueFeed) => void;
}

/** Consumers of equal priority, and whose turn it is. */
interface Level {
  readonly priority: number;
  consumers: FeedConsumer[];
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
  readonly #members = new Set<FeedConsumer>();
  /** Some that are not members any more still stand in the levels. */
  #hasLeft = false;
  /** The store failed: it is asked again when the time has come, and not before. */
  #isResting = false;
  /** What a message weighs, lately; at first few are taken, in case they are heavy. */
  #bytes = TAKE_BYTES / 8;
  readonly #ahead: TakingAhead;
  /** The last call brought all that it was asked for. */
  #hadPlenty = false;
  /** What the present call brings beyond what consumers may have goes back at once. */
  #isSurrendered = false;
  /** Messages that are being taken, or go back to their places unseen. */
  readonly #returning = new Outstanding();

  constructor(queue: string, isQuorum: boolean, parts: FeedParts) {
    this.queue = queue;
    this.isQuorum = isQuorum;
    this.#parts = parts;
    this.#ahead = new TakingAhead((held) => this.#return(held));
  }

  add(consumer: FeedConsumer): void {
    this.#sweep();
    if (this.#levels.length === 0) this.#begin();
    const { priority } = consumer;
    let at = this.#levels.findIndex((level) => level.priority <= priority);
    if (at < 0) at = this.#levels.length;
    if (this.#levels[at]?.priority !== priority) {
      this.#levels.splice(at, 0, { priority, consumers: [], turn: 0 });
    }
    this.#levels[at]!.consumers.push(consumer);
    this.#members.add(consumer);
    this.#ready();
  }

  remove(consumer: FeedConsumer): void {
    if (!this.#members.delete(consumer)) {
      if (this.#members.size === 0) this.#parts.idle(this);
      return;
    }
    this.#hasLeft = true;
    if (this.#members.size > 0) return;
    this.#sweep();
    this.#end();
  }

  /** Takes those that have left out of the levels: all that a connection had, at once. */
  #sweep(): void {
    if (!this.#hasLeft) return;
    this.#hasLeft = false;
    const isMember = (consumer: FeedConsumer): boolean => this.#members.has(consumer);
    for (const level of this.#levels) {
      level.turn = level.consumers.slice(0, level.turn).filter(isMember).length;
      level.consumers = level.consumers.filter(isMember);
    }
    const levels = this.#levels.filter(({ consumers }) => consumers.length > 0);
    this.#levels.splice(0, Infinity, ...levels);
  }

  /** Whether somebody may have a message now. */
  get isWaiting(): boolean {
    return this.#wanted() > 0;
  }

  /** A consumer may have more than before. */
  wake(): void {
    if (!this.#isDry || this.#ahead.size > 0) this.#schedule();
  }

  /** The queue may have messages. */
  readonly #ready = (): void => {
    this.#isDry = false;
    this.#schedule();
  };

  #schedule(): void {
    this.#isWoken = true;
    if (this.#isScheduled || this.#isResting) return;
    if (this.#isTaking && this.#ahead.size === 0) return;
    this.#isScheduled = true;
    // What a client says in one go gives its credit in one go.
    queueMicrotask(this.#look);
  }

  /**
   * Gives back what lies ready for consumers and nobody has got, as if it had not been taken.
   * @returns resolves when it is there again; undefined: there is none
   */
  surrender(): Promise<void> | undefined {
    // Whoever may have some of it already comes first.
    if (!this.#isClosed) this.#handOutStock();
    this.#isSurrendered = true;
    const hadAny = this.#ahead.end();
    return hadAny || !this.#returning.isNone ? this.#returning.settled() : undefined;
  }

  /** Resolves when what came to the queue before is in the hands of those who want it, or much of it. */
  async caughtUp(): Promise<void> {
    for (let i = 0; i < CALLS_AWAITED && (this.#isScheduled || this.#isTaking); i++) {
      await this.#returning.settled();
    }
  }

  /** Nothing more is taken. */
  close(): void {
    this.#isClosed = true;
    void this.surrender();
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
    if (this.#isClosed) return;
    this.#handOutStock();
    if (this.#isTaking || this.#isDry) return;
    const credit = this.#wanted();
    if (credit === 0 && !this.#ahead.isLow) return;
    this.#ahead.pace(credit, this.#hadPlenty && this.#mayTakeAhead());
    void this.#take(Math.min(credit + this.#ahead.missing, this.#most));
  };

  #mayTakeAhead(): boolean {
    if (!this.#parts.mayTakeAhead()) return false;
    for (const { shares } of this.#members) if (shares?.isRationed === true) return false;
    return true;
  }

  get #most(): number {
    return Math.min(TAKE_MAX, Math.max(1, Math.floor(TAKE_BYTES / this.#bytes)));
  }

  /** How many messages all consumers together may have, up to what one call takes. */
  #wanted(): number {
    this.#sweep();
    const most = this.#most;
    let sum = 0;
    let used: Map<object, number> | null = null;
    for (const { consumers } of this.#levels) {
      for (const consumer of consumers) {
        let { credit } = consumer;
        if (credit <= 0) continue;
        const { shares } = consumer;
        if (this.#members.size > 1 && shares !== null) {
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
    this.#isSurrendered = false;
    this.#returning.begin();
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
      this.#hadPlenty = messages.length === max;
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
    this.#returning.end();
    if (this.#isWoken) this.#schedule();
    else if (wait < LOOK_EVERY_MS) this.#sleep(wait);
    else this.#isDry = isEmpty;
  }

  #handOut(messages: readonly HeldMessage[]): void {
    for (const held of messages) {
      const heavier = held.stored.bytes - this.#bytes;
      this.#bytes += heavier * (heavier > 0 ? HEAVIER : LIGHTER);
      // What was taken before comes first.
      const consumer = this.#ahead.size > 0 ? null : this.#next();
      if (consumer !== null) this.#deliver(consumer, held);
      else if (this.#isSurrendered || this.#isClosed || !this.#mayTakeAhead()) {
        this.#return(held);
      } else this.#ahead.add(held);
    }
    if (messages.length > 0) this.#ahead.used();
  }

  #handOutStock(): void {
    if (this.#ahead.size === 0) return;
    const now = Date.now();
    for (let consumer = this.#next(); consumer !== null; consumer = this.#next()) {
      const held = this.#ahead.shift();
      if (held === undefined) break;
      const { expiresAt } = held.stored;
      if (expiresAt === null || expiresAt > now) this.#deliver(consumer, held);
      else this.#return(held);
    }
    this.#ahead.used();
  }

  #deliver(consumer: FeedConsumer, held: HeldMessage): void {
    try {
      consumer.deliver(held);
    } catch (error) {
      this.#parts.undeliverable(held, error);
    }
  }

  #return(held: HeldMessage): void {
    this.#returning.begin();
    this.#parts.leases.giveBack(held, 'unstarted', (error) => {
      this.#parts.settled(error);
      this.#returning.end();
    });
  }

  /**
   * Who gets the next message: in turn, and before that whoever has least in hand. A slow one with a
   * high prefetch does not hoard what another could do at once.
   */
  #next(): FeedConsumer | null {
    this.#sweep();
    for (const level of this.#levels) {
      const { consumers } = level;
      let chosen: FeedConsumer | null = null;
      let least = Infinity;
      let compared = 0;
      let turn = 0;
      for (let i = 0; i < consumers.length && least > 0 && compared < COMPARED_MAX; i++) {
        const at = (level.turn + i) % consumers.length;
        const consumer = consumers[at]!;
        if (consumer.credit <= 0) continue;
        compared++;
        if (consumer.inHand >= least) continue;
        chosen = consumer;
        least = consumer.inHand;
        turn = at + 1;
      }
      if (chosen === null) continue;
      level.turn = turn;
      return chosen;
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
