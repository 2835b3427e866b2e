import type { Clock, Timer } from './clock.ts';
import type { Delivery } from './delivery.ts';
import type { Driver } from './driver.ts';
import { LeaseLostError } from './errors.ts';

/** Extended this often within a lease: two tries may fail before it ends. */
const EXTENSIONS_PER_LEASE = 3;

/** Keeps the leases of what a consumer holds from ending, with one timer and one call for all. */
export class LeaseKeeper {
  readonly #held = new Set<Delivery>();
  readonly #driver: Driver;
  readonly #clock: Clock;
  readonly #leaseDuration: number;
  readonly #onError: (error: unknown) => void;
  #timer: Timer | null = null;

  /** @param leaseDuration milliseconds */
  constructor(
    driver: Driver,
    clock: Clock,
    leaseDuration: number,
    onError: (error: unknown) => void,
  ) {
    this.#driver = driver;
    this.#clock = clock;
    this.#leaseDuration = leaseDuration;
    this.#onError = onError;
  }

  /** Taken and not settled yet, or not known to be. */
  get held(): Iterable<Delivery> {
    return this.#held;
  }

  add(delivery: Delivery): void {
    this.#held.add(delivery);
    this.#timer ??= this.#setTimer();
  }

  delete(delivery: Delivery): void {
    // The timer stays: setting one per message would cost more than a look that finds nothing.
    this.#held.delete(delivery);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#held.clear();
  }

  #setTimer(): Timer {
    const ms = this.#leaseDuration / EXTENSIONS_PER_LEASE;
    return this.#clock.setTimer(() => void this.#extend(), ms);
  }

  async #extend(): Promise<void> {
    this.#timer = null;
    const askedAt = this.#clock.now();
    // The store, or this process, was away for as long as a lease.
    for (const delivery of this.#held) if (delivery.heldUntil <= askedAt) this.#lose(delivery);
    const deliveries = [...this.#held];
    if (deliveries.length === 0) return;
    this.#timer = this.#setTimer();
    const leaseDuration = this.#leaseDuration;
    try {
      const items = deliveries.map((receipt) => ({ receipt, leaseDuration }));
      const lost = new Set(await this.#driver.extend(items));
      for (const [index, delivery] of deliveries.entries()) {
        if (lost.has(index)) this.#lose(delivery);
        else delivery.heldUntil = Math.max(delivery.heldUntil, askedAt + leaseDuration);
      }
    } catch (error) {
      this.#onError(error);
    }
  }

  /** What was settled in the meantime is not lost, nor what a transaction acknowledged. */
  #lose(delivery: Delivery): void {
    if (!this.#held.delete(delivery) || delivery.settled || delivery.inTransaction) return;
    delivery.heldUntil = -Infinity;
    delivery.abort(new LeaseLostError(delivery.id));
  }
}
