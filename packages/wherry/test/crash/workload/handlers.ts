import { setTimeout as sleep } from 'node:timers/promises';
import { type Delivery, RejectError, RetryError } from '../../../src/index.ts';
import type { Random } from '../random.ts';
import type { Deliveries } from './deliveries.ts';
import { POISON } from './messages.ts';

/** What may become of a delivery, and how often. */
const ENDS = {
  acknowledge: 60,
  retry: 6,
  retryLater: 6,
  deadLetter: 3,
  acknowledgeTwice: 2,
  extend: 3,
} as const;

/** What only somebody does who took the message himself, by its id or without anybody's help. */
const OWN_ENDS = {
  ...ENDS,
  acknowledgeById: 10,
  rejectById: 4,
  requeue: 4,
  forget: 4,
  acknowledgeLate: 14,
} as const;

/** Handles deliveries in all ways that a program could. */
export class Handlers {
  readonly #deliveries: Deliveries;
  readonly #random: Random;

  constructor(deliveries: Deliveries, random: Random) {
    this.#deliveries = deliveries;
    this.#random = random;
  }

  /** A `Consumer`'s handler: mostly it settles by returning or throwing. */
  async handle(delivery: Delivery): Promise<void> {
    this.#dieOf(delivery);
    await this.#work(delivery);
    const random = this.#random;
    if (random.chance(0.25)) return this.#end(delivery, random.weighted(ENDS), 0);
    if (random.chance(0.75)) {
      this.#deliveries.willSettle('ack', delivery, null);
      return;
    }
    const how = random.weighted({ throw: 6, retry: 4, reject: 2 });
    if (how === 'throw') {
      this.#deliveries.willSettle('retry', delivery, null);
      throw new Error('on purpose');
    }
    if (how === 'reject') {
      this.#deliveries.willSettle('dead-letter', delivery, null);
      throw new RejectError('on purpose');
    }
    const delay = random.integer(0, 60);
    this.#deliveries.willSettle('retry', delivery, delay);
    throw new RetryError({ delay });
  }

  /** Those that a batch handler does not settle itself share its end. */
  async handleBatch(deliveries: readonly Delivery[]): Promise<void> {
    for (const delivery of deliveries) this.#dieOf(delivery);
    if (deliveries[0] !== undefined) await this.#work(deliveries[0]);
    const rest: Delivery[] = [];
    for (const delivery of deliveries) {
      if (this.#random.chance(0.2)) await this.#end(delivery, this.#random.weighted(ENDS), 0);
      else rest.push(delivery);
    }
    const fails = this.#random.chance(0.2);
    for (const delivery of rest) {
      this.#deliveries.willSettle(fails ? 'retry' : 'ack', delivery, null);
    }
    if (fails) throw new Error('on purpose');
  }

  /** Somebody who took the message himself. @param leaseDuration milliseconds */
  async holdAlone(delivery: Delivery, leaseDuration: number): Promise<void> {
    this.#dieOf(delivery);
    await this.#work(delivery);
    await this.#end(delivery, this.#random.weighted(OWN_ENDS), leaseDuration);
  }

  /** In a `for await` loop; whoever settles there must do so before the next. */
  async inLoop(delivery: Delivery): Promise<void> {
    this.#dieOf(delivery);
    await this.#work(delivery);
    await this.#end(delivery, this.#random.weighted(ENDS), 0);
  }

  async #end(delivery: Delivery, how: keyof typeof OWN_ENDS, leaseDuration: number): Promise<void> {
    const deliveries = this.#deliveries;
    switch (how) {
      case 'acknowledge':
        return deliveries.acknowledge(delivery);
      case 'acknowledgeById':
        return deliveries.acknowledgeById(delivery);
      case 'retry':
        return deliveries.retry(delivery, null);
      case 'retryLater':
        return deliveries.retry(delivery, this.#random.integer(0, 60));
      case 'rejectById':
        return deliveries.rejectById(delivery);
      case 'requeue':
        return deliveries.requeue(delivery);
      case 'deadLetter':
        return deliveries.deadLetter(delivery);
      case 'acknowledgeTwice':
        await deliveries.acknowledge(delivery);
        return deliveries.acknowledgeById(delivery);
      case 'extend':
        await deliveries.extend(delivery, this.#random.integer(200, 400));
        return deliveries.acknowledge(delivery);
      case 'acknowledgeLate':
        await sleep(leaseDuration + this.#random.integer(5, 150));
        return deliveries.acknowledge(delivery);
      case 'forget':
    }
  }

  /**
   * A kill must often find handlers at work; and a holder who comes late, somebody else at work on
   * what was his.
   */
  async #work({ deliveryCount }: Delivery): Promise<void> {
    const random = this.#random;
    if (deliveryCount > 1 && random.chance(0.2)) await sleep(random.integer(40, 200));
    else if (random.chance(0.3)) await sleep(random.integer(0, 40));
  }

  #dieOf(delivery: Delivery): void {
    if (delivery.message.contentType === POISON) process.kill(process.pid, 'SIGKILL');
  }
}
