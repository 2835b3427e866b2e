import type {
  ArrivalTaker,
  LeasedMessage,
  NewMessage,
  QueueRef,
  TakeRequest,
} from '../../core/driver.ts';
import type { Mark } from './marks.ts';
import type { QueueState } from './queue-state.ts';
import type { LmdbStore } from './store.ts';
import { isPlain } from './take.ts';

/** What one taker gets before it is stored. */
export interface Offer {
  readonly queue: QueueState;
  readonly taker: ArrivalTaker;
  readonly request: TakeRequest;
  readonly mark: Mark;
  readonly messages: LeasedMessage[];
  /** How many of them are done with. */
  settled: number;
}

/** Who gets what of the messages of one call. */
export class Offers {
  readonly #store: LmdbStore;
  readonly #now: number;
  readonly #isLarge: boolean;
  /** By queue; null: from here on its messages go the usual way. */
  readonly #ofQueue = new Map<number, Offer | null>();
  #tokens = 0;

  /** @param isLarge the call has so many messages that it is work, and not time, that counts */
  constructor(store: LmdbStore, now: number, isLarge: boolean) {
    this.#store = store;
    this.#now = now;
    this.#isLarge = isLarge;
  }

  /** @returns who takes the queue's next message at once, or null */
  of(ref: QueueRef, message: NewMessage): Offer | null {
    let offer = this.#ofQueue.get(ref.number);
    if (offer === undefined) {
      offer = this.#open(ref);
      this.#ofQueue.set(ref.number, offer);
    }
    if (offer === null) return null;
    const { messages, request } = offer;
    return messages.length < request.max && isOrdinary(message) ? offer : null;
  }

  /** A message goes the usual way: none that comes later may overtake it. */
  close({ number }: QueueRef): void {
    const offer = this.#ofQueue.get(number);
    if (offer === null) return;
    if (offer !== undefined) this.#tell(offer);
    this.#ofQueue.set(number, null);
  }

  /** All were looked at: those who asked are answered. */
  tell(): void {
    for (const offer of this.#ofQueue.values()) if (offer !== null) this.#tell(offer);
  }

  #tell({ taker, messages }: Offer): void {
    queueMicrotask(() => taker.taken({ messages, retryIn: null }));
  }

  #open(ref: QueueRef): Offer | null {
    const store = this.#store;
    const queue = store.find(ref);
    if (queue === undefined || queue.awaited > 0 || queue.ready > 0) return null;
    if (store.committer.failure !== null) return null;
    if (!isUnlimited(ref) || !isPlain(queue, ref, this.#now)) return null;
    if (this.#isLarge && !queue.quickness.isEnough()) return null;
    for (const taker of store.takers.of(ref.number)) {
      const request = taker.request();
      if (request === null) continue;
      this.#tokens += request.max;
      // Where tokens are short, this one gets nothing now.
      const max = store.hasTokens(this.#tokens) ? request.max : 0;
      const mark = store.newMark(queue, request.consumerId, request.bound);
      return { queue, taker, request: { ...request, max }, mark, messages: [], settled: 0 };
    }
    return null;
  }
}

/**
 * Whether a message is ready as soon as it is stored, whatever was stored before, and may be handed
 * on as it was given: a caller's own bytes may change as soon as the call is answered.
 */
function isOrdinary(message: NewMessage): boolean {
  const { delay, deliverAt, ttl, groupId, deduplicationId, keepLast, fence, id } = message;
  if (message.encoding === 'bytes') return false;
  const isNow = delay === 0 && deliverAt === null && ttl === null;
  const isAlone = groupId === null && deduplicationId === null && keepLast !== true;
  return isNow && isAlone && fence === undefined && id === undefined;
}

/** Whether a queue takes every message, and gives it for as long as it may. */
function isUnlimited({ maxSize, maxBytes, maxInFlight, messageTtl }: QueueRef): boolean {
  const isUnbounded = maxSize === Infinity && maxBytes === Infinity && maxInFlight === Infinity;
  return isUnbounded && messageTtl === null;
}
