import type { LeasedMessage, PublishItem, PublishOutcome } from '../../core/driver.ts';
import { newRecord } from './arrival.ts';
import type { Shrinking } from './committer.ts';
import { MAIN, newlyLeased } from './item.ts';
import { createLease } from './leases.ts';
import { type Offer, Offers } from './offers.ts';
import { OnTheWay } from './on-the-way.ts';
import { publishAll, publishOne } from './publish.ts';
import { insertLeased } from './spaces.ts';
import type { LmdbStore } from './store.ts';

/** Calls with more messages come from somebody who sends many. */
const SMALL_MAX = 32;

/** A message that somebody has, and that is not stored yet. */
export interface InTransit {
  readonly sending: Sending;
  readonly offer: Offer;
  readonly leased: LeasedMessage;
  /** It need not be stored any more. */
  isSettled: boolean;
}

/**
 * The messages of one call of `publish`, until they are stored. Where consumers wait at an empty queue,
 * they have them before that, and what they settle by the time of the commit is not stored at all.
 */
export class Sending implements Shrinking {
  readonly #store: LmdbStore;
  readonly #items: readonly PublishItem[];
  readonly #isAtomic: boolean;
  /** Per item; null: it goes the usual way. */
  #inTransit: readonly (InTransit | null)[] = [];
  readonly #offers = new Set<Offer>();
  readonly #onTheWay: OnTheWay;
  #handedOver = 0;
  #settled = 0;

  /** @param isAtomic all of them are stored or none: then none is handed out before */
  constructor(store: LmdbStore, items: readonly PublishItem[], isAtomic: boolean) {
    this.#store = store;
    this.#items = items;
    this.#isAtomic = isAtomic;
    this.#onTheWay = new OnTheWay(store);
  }

  get isNeedless(): boolean {
    return this.#settled === this.#items.length;
  }

  get isWorthWaiting(): boolean {
    if (!this.#isLarge || this.#handedOver < this.#items.length) return false;
    for (const { queue } of this.#offers) if (!queue.quickness.isGreat) return false;
    return true;
  }

  get #isLarge(): boolean {
    return this.#items.length > SMALL_MAX;
  }

  /** Hands out what somebody takes before it is stored. */
  begin(): void {
    const now = this.#store.now();
    const offers = new Offers(this.#store, now, this.#isLarge);
    try {
      this.#inTransit = this.#items.map((item) => this.#handOver(item, offers, now));
    } finally {
      offers.tell();
    }
  }

  /** In a commit, if that is needed: stores what there is to store. */
  run(): PublishOutcome[] {
    const store = this.#store;
    const now = store.now();
    if (this.#isLarge) {
      for (const { queue, messages, settled } of this.#offers) {
        queue.quickness.note(settled / messages.length);
      }
    }
    if (this.isNeedless) return this.#inTransit.map(stored);
    this.#onTheWay.arrive();
    if (this.#isAtomic) return publishAll(store, this.#items);
    for (const { mark } of this.#offers) store.onCommit(() => store.handedOut(mark));
    return this.#items.map((item, i) => {
      const one = this.#inTransit[i];
      return one ? this.#storeLeased(item, one) : publishOne(store, item, now);
    });
  }

  /** All is answered. */
  end(): void {
    this.#onTheWay.end();
    for (const one of this.#inTransit) if (one !== null) this.#store.transit.forget(one);
  }

  /** One of those that somebody has is done with. */
  settled(offer: Offer): void {
    offer.settled += 1;
    this.#settled += 1;
    if (this.isNeedless) this.#store.committer.shrunk();
  }

  #handOver({ targets, message }: PublishItem, offers: Offers, now: number): InTransit | null {
    const [ref] = targets;
    const mayBe = targets.length === 1 && !this.#isAtomic;
    const offer = mayBe ? offers.of(ref!, message) : null;
    if (offer === null) {
      for (const target of targets) {
        offers.close(target);
        this.#onTheWay.add(target);
      }
      return null;
    }
    const { queue, request, messages } = offer;
    const store = this.#store;
    const lease = {
      consumerId: request.consumerId,
      token: store.nextToken(),
      until: now + request.leaseDuration,
    };
    const place = { sequence: queue.reserve(), maxPriority: ref!.maxPriority };
    const leased = newlyLeased(queue, message, place, lease, now);
    const one: InTransit = { sending: this, offer, leased, isSettled: false };
    store.transit.add(one);
    messages.push(leased);
    this.#offers.add(offer);
    this.#handedOver += 1;
    return one;
  }

  #storeLeased({ targets, message }: PublishItem, one: InTransit): PublishOutcome {
    const { leased, isSettled, offer } = one;
    const { queue, mark } = offer;
    const store = this.#store;
    const ref = targets[0]!;
    if (store.find(ref) === undefined) return { status: 'missing', queue: ref.name };
    if (!isSettled) {
      store.transit.forget(one);
      const record = newRecord(ref, message, leased.timestamp);
      const terms = { ...leased.lease, mark, cause: null };
      const lease = createLease(queue, record, leased.sequence, MAIN, 0, terms);
      insertLeased(store, queue, lease, record);
      store.leases.add(lease);
      mark.leases.push(lease);
    }
    return stored(one);
  }
}

/** @param one that is stored, or gone already */
function stored(one: InTransit | null): PublishOutcome {
  return { status: 'stored', id: one!.leased.id };
}
