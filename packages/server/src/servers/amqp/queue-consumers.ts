import type { Table } from '../../protocols/amqp/table.ts';
import type { QueueTraits } from './queue-traits.ts';

/** What a consumer has, and may have. */
export interface ConsumerLoad {
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
  /** Of a queue with x-single-active-consumer: called once, when its turn has come. */
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

interface Seat extends ConsumerSeat {
  isActive: boolean;
}

/** The consumers of one queue, and whose turn it is. */
export class QueueConsumers {
  readonly #seats = new Set<Seat>();
  readonly #isSingle: boolean;
  readonly #onEmpty: () => Promise<void>;

  /** @param onEmpty called when the last consumer has gone */
  constructor({ singleActiveConsumer }: QueueTraits, onEmpty: () => Promise<void>) {
    this.#isSingle = singleActiveConsumer;
    this.#onEmpty = onEmpty;
  }

  get size(): number {
    return this.#seats.size;
  }

  /** Oldest first. */
  list(): readonly ConsumerSeat[] {
    return [...this.#seats];
  }

  /** @returns undefined when it would have to be alone, or another is */
  add(request: ConsumerRequest): ConsumerSeat | undefined {
    const [first] = this.#seats;
    if (first?.request.exclusive === true) return undefined;
    if (request.exclusive && (first !== undefined || this.#isSingle)) return undefined;
    const seat: Seat = {
      request,
      isActive: first === undefined || !this.#isSingle,
      remove: async () => {
        if (this.#seats.delete(seat)) await this.#removed(seat);
      },
    };
    this.#seats.add(seat);
    return seat;
  }

  /** The queue is gone: whoever removes a consumer of it removes nothing. */
  clear(): void {
    this.#seats.clear();
  }

  #removed(seat: Seat): Promise<void> | undefined {
    const [next] = this.#seats;
    if (next === undefined) return this.#onEmpty();
    // Others are active only where all are.
    if (seat.isActive && !next.isActive) {
      next.isActive = true;
      next.request.onActive?.();
    }
    return undefined;
  }
}
