import type { HeldMessage } from 'wherry';
import type { LeaseEnds } from './lease-ends.ts';

type Ended = (error: Error | null) => void;

/** As long as this they may wait for something else to be stored, and be stored with it. */
const WAIT_MS = 5;
const BATCH_MAX = 32;

/**
 * Acknowledgements that nobody waits for. Their clients get no answer, so they need no commit of
 * their own: they go with what is stored next.
 */
export class Acknowledgements {
  readonly #leases: LeaseEnds;
  #waiting: HeldMessage[] = [];
  #ended: Ended[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(leases: LeaseEnds) {
    this.#leases = leases;
  }

  add(held: HeldMessage, ended: Ended): void {
    if (this.#leases.settleAtOnce(held)) return ended(null);
    this.#waiting.push(held);
    this.#ended.push(ended);
    if (this.#waiting.length >= BATCH_MAX) this.flush();
    else this.#timer ??= setTimeout(this.#flushByTime, WAIT_MS);
  }

  /** To be called before something is stored, or looked at. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const [waiting, ended] = [this.#waiting, this.#ended];
    this.#waiting = [];
    this.#ended = [];
    for (let i = 0; i < waiting.length; i++) this.#leases.settle(waiting[i]!, ended[i]!);
  }

  /** What has come so far is settled; no timer is left. */
  close(): void {
    this.flush();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** The timer is left alone by `flush`: to set one for each batch would cost more. */
  readonly #flushByTime = (): void => {
    this.#timer = null;
    this.flush();
  };
}
