import type { QueueRef, RateLimit } from '../../core/driver.ts';

/** A queue's numbers as the scripts read them, in JSON: what is not limited is left out. */
interface Settings {
  readonly name: string;
  readonly maxSize?: number;
  readonly maxBytes?: number;
  /** Its bounds do not count what is leased. */
  readonly countsWaiting?: boolean;
  readonly dropOldest?: boolean;
  /** Which of the queues of the call, and its settings as this queue knows them. */
  readonly evictTo?: { readonly place: number; readonly ref: Settings };
  readonly ttl?: number;
  readonly maxPriority?: number;
  readonly window?: number;
  readonly maxInFlight?: number;
  readonly slots?: number;
  readonly rate?: RateLimit;
  readonly groupRate?: RateLimit;
}

/** No message has a higher priority. */
const PRIORITY_MAX = 255;
/** As many slots as no group ever fills. */
const SLOTS_MAX = 2 ** 31;

/** @param evictTo the queue that gets what is dropped, if it is part of the call */
export function settingsOf(queue: QueueRef, evictTo?: Settings['evictTo']): Settings {
  const { maxSize, maxBytes, maxInFlight, groupMaxInFlight, rateLimit, groupRateLimit } = queue;
  return {
    name: queue.name,
    ...(maxSize !== Infinity && { maxSize }),
    ...(maxBytes !== Infinity && { maxBytes }),
    ...(queue.boundOn === 'waiting' && { countsWaiting: true }),
    ...(queue.overflow === 'drop-oldest' && { dropOldest: true }),
    ...(evictTo !== undefined && { evictTo }),
    ...(queue.messageTtl !== null && { ttl: queue.messageTtl }),
    ...(queue.maxPriority < PRIORITY_MAX && { maxPriority: queue.maxPriority }),
    ...(queue.deduplicationWindow > 0 && { window: queue.deduplicationWindow }),
    ...(maxInFlight !== Infinity && { maxInFlight }),
    ...(groupMaxInFlight !== 1 && { slots: Math.min(groupMaxInFlight, SLOTS_MAX) }),
    ...(rateLimit !== null && { rate: { max: rateLimit.max, per: rateLimit.per } }),
    ...(groupRateLimit !== null && {
      groupRate: { max: groupRateLimit.max, per: groupRateLimit.per },
    }),
  };
}

/** Whether what ends in one may end in one call with what ends in the other. */
export function isSameQueue(one: QueueRef, other: QueueRef): boolean {
  return (
    one === other ||
    (one.number === other.number &&
      one.groupMaxInFlight === other.groupMaxInFlight &&
      one.maxInFlight === other.maxInFlight)
  );
}

/** The queues of one call, each with its place in the script's KEYS, and their settings. */
export class CallQueues {
  readonly refs: QueueRef[] = [];
  readonly #places = new Map<number, number>();

  /** @param first has the first place */
  constructor(first?: QueueRef) {
    if (first !== undefined) this.place(first);
  }

  /** Of all queues of the call; to be asked after `settings`. */
  get numbers(): number[] {
    return this.refs.map((ref) => ref.number);
  }

  /** @returns the queue's place, from 1 */
  place(ref: QueueRef): number {
    const known = this.#places.get(ref.number);
    if (known !== undefined) return known;
    const place = this.refs.push(ref);
    this.#places.set(ref.number, place);
    return place;
  }

  /** @returns the queue at a place that a script answered */
  at(place: number): QueueRef {
    return this.refs[place - 1]!;
  }

  /** The settings by place. Queues that get what is dropped have the last places. */
  settings(): Settings[] {
    for (const ref of this.refs) {
      const evictTo = evictToOf(ref);
      if (evictTo !== null) this.place(evictTo);
    }
    return this.refs.map((ref) => settingsOf(ref, this.#placedEvictTo(ref)));
  }

  #placedEvictTo(ref: QueueRef): Settings['evictTo'] {
    const evictTo = evictToOf(ref);
    if (evictTo === null) return undefined;
    return { place: this.#places.get(evictTo.number)!, ref: settingsOf(evictTo) };
  }
}

/** A queue that refuses what is too much has nothing to do with its dead-letter queue when it is sent to. */
function evictToOf({ overflow, evictTo }: QueueRef): QueueRef | null {
  return overflow === 'drop-oldest' ? evictTo : null;
}
