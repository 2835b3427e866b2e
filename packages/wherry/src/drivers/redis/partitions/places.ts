import type { NewMessage, QueueRef } from '../../../core/driver.ts';
import { QueueNotFoundError, ValidationError } from '../../../core/errors.ts';

/** Says over which places a queue is spread; null when there is no such queue. */
export interface PlaceFinder {
  placesOf(queueNumber: number, partitions: number): Promise<readonly number[] | null>;
}

/**
 * The places of queues, each as a queue of its own: with its own number, and its share of what the
 * whole is limited to. A queue in one place is that place.
 */
export class Places {
  readonly #finder: PlaceFinder;
  /** By the very object: core gives the same one until a setting changes. */
  readonly #known = new WeakMap<QueueRef, readonly QueueRef[]>();
  /** Where the next messages go that may go anywhere, by queue. */
  readonly #turns = new Map<number, number>();

  constructor(finder: PlaceFinder) {
    this.#finder = finder;
  }

  /** @throws QueueNotFoundError, ValidationError when a limit cannot be divided */
  async of(queue: QueueRef): Promise<readonly QueueRef[]> {
    const places = await this.find(queue);
    if (places === null) throw new QueueNotFoundError(queue.name);
    return places;
  }

  /** @returns null when there is no such queue */
  async find(queue: QueueRef): Promise<readonly QueueRef[] | null> {
    const known = this.#known.get(queue);
    if (known !== undefined) return known;
    const places = queue.partitions === 1 ? [queue] : await this.#divide(queue);
    if (places !== null) this.#known.set(queue, places);
    return places;
  }

  async #divide(queue: QueueRef): Promise<readonly QueueRef[] | null> {
    const numbers = await this.#finder.placesOf(queue.number, queue.partitions);
    if (numbers === null) return null;
    checkShares(queue, numbers.length);
    const { evictTo } = queue;
    const dropTo = evictTo === null ? [] : await this.find(evictTo);
    return numbers.map((number, i) => ({
      ...queue,
      number,
      partitions: 1,
      maxSize: shareOf(queue.maxSize, numbers.length, i),
      maxBytes: shareOf(queue.maxBytes, numbers.length, i),
      maxInFlight: shareOf(queue.maxInFlight, numbers.length, i),
      rateLimit: queue.rateLimit && {
        max: shareOf(queue.rateLimit.max, numbers.length, i),
        per: queue.rateLimit.per,
      },
      evictTo: dropTo?.[i % dropTo.length] ?? null,
    }));
  }

  /** @returns whose turn it is of so many places, and passes it on */
  turn(queueNumber: number, places: number): number {
    const turn = this.#turns.get(queueNumber) ?? 0;
    this.#turns.set(queueNumber, (turn + 1) % places);
    return turn % places;
  }
}

export function isSpread({ partitions, evictTo }: QueueRef): boolean {
  return partitions > 1 || (evictTo !== null && evictTo.partitions > 1);
}

/**
 * What a message stays with in one place: others of its group, in order; others that it must not be
 * stored twice with. null: it may go anywhere.
 */
export function affinityOf(message: NewMessage): string | null {
  const { groupId, deduplicationId, fence, id } = message;
  return groupId ?? deduplicationId ?? fence?.key ?? id ?? null;
}

/** @returns the index of the place, of so many, that a name belongs to: always the same */
export function placeIndex(name: string, places: number): number {
  // FNV-1a
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % places;
}

function shareOf(total: number, places: number, index: number): number {
  if (total === Infinity) return Infinity;
  return Math.floor(total / places) + (index < total % places ? 1 : 0);
}

/** @throws ValidationError when a place would get nothing of a limit: what is there would never go */
function checkShares(
  { name, maxSize, maxBytes, maxInFlight, rateLimit }: QueueRef,
  places: number,
): void {
  const limits = { maxSize, maxBytes, maxInFlight, 'rateLimit.max': rateLimit?.max ?? Infinity };
  for (const [limit, value] of Object.entries(limits)) {
    if (value >= places) continue;
    throw new ValidationError(
      `${limit} of queue '${name}' is ${value}, less than its ${places} partitions, over which it is ` +
        'divided. Raise it, or make the queue with fewer partitions.',
    );
  }
}
