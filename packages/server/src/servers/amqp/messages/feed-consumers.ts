import type { HeldMessage } from 'wherry';

/** Of more consumers than that, not all are looked at for each message. */
const COMPARED_MAX = 64;

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

/** Consumers of equal priority, and whose turn it is. */
interface Level {
  readonly priority: number;
  consumers: FeedConsumer[];
  turn: number;
}

/** The consumers that a queue has at this broker: how much they may have, and who gets the next. */
export class FeedConsumers {
  /** The highest priority first. */
  readonly #levels: Level[] = [];
  readonly #members = new Set<FeedConsumer>();
  /** Some that are not members any more still stand in the levels. */
  #hasLeft = false;

  get isNone(): boolean {
    return this.#members.size === 0;
  }

  /** Whether some of them wait for other queues, too, for what they may have together. */
  get areRationed(): boolean {
    for (const { shares } of this.#members) if (shares?.isRationed === true) return true;
    return false;
  }

  add(consumer: FeedConsumer): void {
    this.#sweep();
    const { priority } = consumer;
    let at = this.#levels.findIndex((level) => level.priority <= priority);
    if (at < 0) at = this.#levels.length;
    if (this.#levels[at]?.priority !== priority) {
      this.#levels.splice(at, 0, { priority, consumers: [], turn: 0 });
    }
    this.#levels[at]!.consumers.push(consumer);
    this.#members.add(consumer);
  }

  remove(consumer: FeedConsumer): void {
    if (this.#members.delete(consumer)) this.#hasLeft = true;
  }

  /** How many messages they may have now together. @param most what is wanted at most */
  wanted(most: number): number {
    this.#sweep();
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

  /**
   * Who gets the next message: in turn, and before that whoever has least in hand. A slow one with a
   * high prefetch does not hoard what another could do at once.
   */
  next(): FeedConsumer | null {
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
}
