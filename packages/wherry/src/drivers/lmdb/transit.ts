import type { Receipt } from '../../core/driver.ts';
import type { InTransit } from './sending.ts';

/** Messages that somebody has, and that are not stored yet. */
export class Transit {
  readonly #byToken = new Map<number, InTransit>();

  add(one: InTransit): void {
    this.#byToken.set(one.leased.lease.token, one);
  }

  forget({ leased }: InTransit): void {
    this.#byToken.delete(leased.lease.token);
  }

  /** @returns false: the message is not in transit any more, or somebody else's */
  settle({ id, token }: Receipt): boolean {
    const one = this.#byToken.get(token);
    if (one === undefined || one.leased.id !== id) return false;
    this.#byToken.delete(token);
    one.isSettled = true;
    one.sending.settled(one.offer);
    return true;
  }
}
