/** Below this share of messages that are settled in time, it costs more than it spares. */
const WORTH_IT = 1 / 4;
/** From this share on a commit waits for more. */
const WORTH_WAITING = 1 / 2;
/** How much one call counts for the share. */
const MEMORY = 1 / 16;
/** As often consumers that were slow are tried again. */
const TRIED_EVERY = 32;

/** Whether a queue's consumers settle what they are given before it has to be stored. */
export class Quickness {
  #share = 1;
  #passed = 0;

  /** Whether it is worth waiting for them. */
  get isGreat(): boolean {
    return this.#share >= WORTH_WAITING;
  }

  /** To be asked once for each call: whether they are to have its messages before they are stored. */
  isEnough(): boolean {
    if (this.#share >= WORTH_IT) return true;
    this.#passed = (this.#passed + 1) % TRIED_EVERY;
    return this.#passed === 0;
  }

  /** @param share of one call's messages that were settled in time */
  note(share: number): void {
    this.#share += (share - this.#share) * MEMORY;
  }
}
