import { type BrokerPort, type HeldMessage, type PortTaken, QueueNotFoundError } from 'wherry';
import type { Acknowledgements } from './acknowledgements.ts';
import type { LeaseEnds } from './lease-ends.ts';
import { type FeedConsumer, FeedConsumers } from './feed-consumers.ts';
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
const ERROR_DELAY_MS = 1_000;
/** Where others send on and on, nobody waits for the end of it. */
const CALLS_AWAITED = 8;

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

/**
 * Hands out a queue's messages to the consumers that it has at this broker: one call takes for all
 * of them, as many as they may have; each message goes to the next in turn that has credit.
 */
export class QueueFeed {
  readonly queue: string;
  /** Whether its deliveries tell how often the message failed. */
  readonly isQuorum: boolean;
  readonly #parts: FeedParts;
  readonly #consumers = new FeedConsumers();
  #unlisten: () => void = () => {};
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;
  #isScheduled = false;
  #isTaking = false;
  /** Of what has just arrived. */
  #asked = 0;
  /** A wake-up came while messages were being taken. */
  #isWoken = false;
  /** There was nothing, and nobody has said since that there is: more credit is of no use. */
  #isDry = false;
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
    if (this.#consumers.isNone) this.#begin();
    this.#consumers.add(consumer);
    this.#ready();
  }

  remove(consumer: FeedConsumer): void {
    const hadAny = !this.#consumers.isNone;
    this.#consumers.remove(consumer);
    if (!this.#consumers.isNone) return;
    if (hadAny) this.#end();
    else this.#parts.idle(this);
  }

  /** Whether somebody may have a message now. */
  get isWaiting(): boolean {
    return this.#consumers.wanted(this.#most) > 0;
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
    const stops = [this.#parts.port.onReady(this.queue, this.#ready), this.#takeArrivals()];
    this.#unlisten = () => stops.forEach((stop) => stop());
    this.#sleep(LOOK_EVERY_MS);
  }

  /** What comes while consumers wait for it goes to them at once. */
  #takeArrivals(): () => void {
    const { port, holder, leaseDuration } = this.#parts;
    const terms = { consumerId: holder, leaseDuration, bound: true };
    try {
      return port.takeArrivals(this.queue, terms, { room: this.#room, taken: this.#arrived });
    } catch (error) {
      // It is just being deleted: its consumers will hear of it.
      if (!(error instanceof QueueNotFoundError)) throw error;
      return () => {};
    }
  }

  /** Where messages of before are still to come, those come first. */
  readonly #room = (): number => {
    if (this.#isClosed || this.#isTaking || this.#isResting || this.#ahead.size > 0) return 0;
    if (!this.#returning.isNone) return 0;
    const room = this.#consumers.wanted(this.#most);
    if (room > 0) this.#startTaking();
    this.#asked = room;
    return room;
  };

  readonly #arrived = ({ messages }: PortTaken): void => {
    this.#handOut(messages);
    this.#endTaking();
    if (this.#isWoken) this.#schedule();
    else this.#isDry = messages.length < this.#asked;
  };

  #end(): void {
    this.close();
    this.#parts.idle(this);
  }

  readonly #look = (): void => {
    this.#isScheduled = false;
    if (this.#isClosed) return;
    this.#handOutStock();
    if (this.#isTaking || this.#isDry) return;
    const credit = this.#consumers.wanted(this.#most);
    if (credit === 0 && !this.#ahead.isLow) return;
    this.#ahead.pace(credit, this.#hadPlenty && this.#mayTakeAhead());
    void this.#take(Math.min(credit + this.#ahead.missing, this.#most));
  };

  #mayTakeAhead(): boolean {
    if (!this.#parts.mayTakeAhead()) return false;
    return !this.#consumers.areRationed;
  }

  get #most(): number {
    return Math.min(TAKE_MAX, Math.max(1, Math.floor(TAKE_BYTES / this.#bytes)));
  }

  async #take(max: number): Promise<void> {
    const { port, holder, leaseDuration, failed } = this.#parts;
    this.#startTaking();
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
    this.#endTaking();
    if (this.#isWoken) this.#schedule();
    else if (wait < LOOK_EVERY_MS) this.#sleep(wait);
    else this.#isDry = isEmpty;
  }

  #startTaking(): void {
    this.#isTaking = true;
    this.#isWoken = false;
    this.#isSurrendered = false;
    this.#returning.begin();
    // What comes from now on is told of after this.
    this.#isDry = false;
  }

  #endTaking(): void {
    this.#isTaking = false;
    this.#returning.end();
  }

  #handOut(messages: readonly HeldMessage[]): void {
    for (const held of messages) {
      const heavier = held.stored.bytes - this.#bytes;
      this.#bytes += heavier * (heavier > 0 ? HEAVIER : LIGHTER);
      // What was taken before comes first.
      const consumer = this.#ahead.size > 0 ? null : this.#consumers.next();
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
    for (
      let consumer = this.#consumers.next();
      consumer !== null;
      consumer = this.#consumers.next()
    ) {
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
