import type { Table } from '../../../protocols/amqp/table.ts';
import type { Joined, LocalConsumers } from '../peers/shared-queue.ts';
import type { QueueTraits } from './queue-traits.ts';

/** What a consumer has, and may have. */
interface ConsumerLoad {
  readonly acknowledges: boolean;
  /** Messages that it may have in hand; 0: any number. */
  readonly prefetch: number;
  readonly unacknowledged: number;
}

/** A consumer that wants to be one of a queue's. */
export interface ConsumerRequest {
  readonly tag: string;
  readonly connectionId: string;
  readonly channel: number;
  readonly exclusive: boolean;
  readonly arguments: Table;
  /** Of a queue with x-single-active-consumer: called when its turn has come. */
  readonly onActive?: () => void;
  /** For lists. Left out: it has nothing in hand. */
  readonly load?: () => ConsumerLoad;
}

/** A consumer that is one of a queue's. */
export interface ConsumerSeat {
  readonly request: ConsumerRequest;
  /** False: the queue has x-single-active-consumer, and it is another's turn. */
  readonly isActive: boolean;
  /**
   * It consumes no more. Doing it twice is the same as once.
   * @returns when the queue has gone, if it was the last consumer of one with auto-delete
   */
  remove(): Promise<void>;
}

/** What the consumers at other brokers on the same store have to do with it. */
export interface OtherConsumers {
  /** Whether the one consumer that is active may be here. */
  readonly isTurn: boolean;
  /** A consumer has come: whether it may stay. */
  join(exclusive: boolean): Joined | Promise<Joined>;
  /** A consumer has gone. Calls `emptied` if the queue has none anywhere. */
  leave(): Promise<void> | undefined;
}

export interface QueueConsumersParts {
  readonly traits: QueueTraits;
  /** The queue has lost its last consumer. */
  readonly onEmpty: () => Promise<void>;
  /** Null: no other broker can have any. */
  readonly shared: (local: LocalConsumers) => OtherConsumers | null;
  /** All consumers have to go, and are to be told. */
  readonly onEvicted: () => void;
}

/** The consumers of one queue at this broker, and whose turn it is. */
export class QueueConsumers implements LocalConsumers {
  readonly #seats = new Set<ConsumerSeat>();
  /** Those of which is not known yet whether they may stay. */
  readonly #waiting = new Set<ConsumerSeat>();
  readonly #isSingle: boolean;
  readonly #parts: QueueConsumersParts;
  readonly #others: OtherConsumers | null;
  /** Who knows that it is its turn. */
  #active: ConsumerSeat | undefined;

  constructor(parts: QueueConsumersParts) {
    this.#parts = parts;
    this.#isSingle = parts.traits.singleActiveConsumer;
    this.#others = parts.shared(this);
  }

  get size(): number {
    return this.#seats.size;
  }

  get admitted(): number {
    return this.#seats.size - this.#waiting.size;
  }

  /** Oldest first. */
  list(): readonly ConsumerSeat[] {
    return [...this.#seats];
  }

  /** @returns why not @throws StorageError */
  async add(request: ConsumerRequest): Promise<ConsumerSeat | 'taken' | 'gone'> {
    const [first] = this.#seats;
    if (first?.request.exclusive === true) return 'taken';
    if (request.exclusive && (first !== undefined || this.#isSingle)) return 'taken';
    const seat = this.#seat(request);
    // Before others are asked: who asks meanwhile is told of it.
    this.#seats.add(seat);
    if (this.#others === null) {
      this.#active ??= seat;
      return seat;
    }
    let joined: Joined | null = null;
    try {
      const joining = this.#others.join(request.exclusive);
      if (typeof joining !== 'string') this.#waiting.add(seat);
      joined = typeof joining === 'string' ? joining : await joining;
    } finally {
      this.#waiting.delete(seat);
      if (joined !== 'joined') await seat.remove();
    }
    if (joined !== 'joined') return joined;
    if (!this.#seats.has(seat)) return 'gone';
    if (this.#isFirst(seat)) this.#active ??= seat;
    return seat;
  }

  /** The queue is gone: whoever removes a consumer of it removes nothing. */
  clear(): void {
    this.#seats.clear();
    this.#waiting.clear();
  }

  turnChanged(): void {
    if (!this.#isSingle) return;
    if (this.#others?.isTurn === false) {
      this.#active = undefined;
      return;
    }
    const [first] = this.#seats;
    if (first === this.#active) return;
    this.#active = first;
    first?.request.onActive?.();
  }

  emptied(): Promise<void> {
    return this.#parts.onEmpty();
  }

  evict(): void {
    this.clear();
    this.#parts.onEvicted();
  }

  #seat(request: ConsumerRequest): ConsumerSeat {
    const isActive = (): boolean => !this.#isSingle || this.#isFirst(seat);
    const seat: ConsumerSeat = {
      request,
      get isActive() {
        return isActive();
      },
      remove: async () => {
        if (this.#seats.delete(seat)) await this.#removed();
      },
    };
    return seat;
  }

  #isFirst(seat: ConsumerSeat): boolean {
    const [first] = this.#seats;
    return seat === first && this.#others?.isTurn !== false;
  }

  #removed(): Promise<void> | undefined {
    if (this.#seats.size === 0) this.#active = undefined;
    this.turnChanged();
    if (this.#others !== null) return this.#others.leave();
    return this.#seats.size === 0 ? this.emptied() : undefined;
  }
}
