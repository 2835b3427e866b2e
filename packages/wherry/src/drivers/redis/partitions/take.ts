import type { LeasedMessage, QueueRef, TakeRequest, TakeResult } from '../../../core/driver.ts';
import type { RedisStore } from '../store.ts';
import { type PlaceTake, takeFrom } from '../take.ts';
import type { Places } from './places.ts';

/**
 * ready -> leased, from the places of a queue in turn: each call begins with another. Within a place,
 * priorities and order hold; a suspect comes alone (G6).
 */
export async function takeSpread(
  store: RedisStore,
  places: Places,
  request: TakeRequest,
): Promise<TakeResult> {
  const all = await places.of(request.queue);
  const taking = new Taking(store, request);
  if (request.ids !== undefined) {
    for (const place of all) if (taking.left > 0) await taking.from(place, false);
    return taking.result();
  }
  const first = places.turn(request.queue.number, all.length);
  const order = [...all.slice(first), ...all.slice(0, first)];
  const { suspect } = await taking.from(order[0]!, false);
  if (suspect === 'given' || taking.left === 0) return taking.result();
  await taking.fromAll(order.slice(1), true);
  // Nothing but suspects: one of them, alone.
  if (taking.isEmpty && taking.waiting !== null) await taking.from(taking.waiting, false);
  return taking.result();
}

/** One take, as far as it has got. */
class Taking {
  readonly #store: RedisStore;
  readonly #request: TakeRequest;
  readonly #messages: LeasedMessage[] = [];
  #retryIn: number | null = null;
  /** A place whose batch ended before a suspect. */
  waiting: QueueRef | null = null;

  constructor(store: RedisStore, request: TakeRequest) {
    this.#store = store;
    this.#request = request;
  }

  get left(): number {
    return this.#request.max - this.#messages.length;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  async from(queue: QueueRef, hasOthers: boolean, max: number = this.left): Promise<PlaceTake> {
    const taken = await takeFrom(this.#store, { ...this.#request, queue, max }, hasOthers);
    this.#messages.push(...taken.messages);
    if (taken.retryIn !== null) {
      this.#retryIn = Math.min(this.#retryIn ?? Infinity, taken.retryIn);
    }
    if (taken.suspect === 'waiting') this.waiting = queue;
    return taken;
  }

  /** From as many at once as may give one each, until there is enough or all were asked. */
  async fromAll(queues: readonly QueueRef[], hasOthers: boolean): Promise<void> {
    let rest = queues;
    while (rest.length > 0 && this.left > 0) {
      const { left } = this;
      const asked = rest.slice(0, left);
      rest = rest.slice(left);
      const each = Math.floor(left / asked.length);
      await Promise.all(asked.map((queue) => this.from(queue, hasOthers, each)));
    }
  }

  result(): TakeResult {
    return { messages: this.#messages, retryIn: this.#retryIn };
  }
}
