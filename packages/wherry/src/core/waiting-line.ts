/** One who waits, and whether it is for him to look. */
export class Turn {
  isMine = false;
  wake: () => void = nothing;

  /** @returns how to stop */
  onMine(wake: () => void): () => void {
    this.wake = wake;
    return () => (this.wake = nothing);
  }
}

/**
 * Those who wait for messages of the same queue. Were they all to look at each wake-up, a message
 * for one of a thousand would cost a thousand looks; so one of them looks, and the others wait for
 * their turn. Who found something passes his turn on to two, so that a thousand messages reach a
 * thousand in ten steps; who looked in vain beside others steps back.
 */
export class WaitingLine {
  readonly #waiting = new Set<Turn>();
  readonly #emptied: () => void;
  #looking = 0;

  /** @param emptied called when the last one has left */
  constructor(emptied: () => void) {
    this.#emptied = emptied;
  }

  /**
   * After a look in vain, the first one included: whether to wait for messages and look again.
   * @returns false: others do, and `turn` will tell
   */
  mayGoOn(turn: Turn): boolean {
    if (turn.isMine) {
      if (this.#looking === 1) return true;
      this.#looking--;
      turn.isMine = false;
    } else if (this.#looking === 0) {
      this.#looking = 1;
      turn.isMine = true;
      return true;
    }
    this.#waiting.add(turn);
    return false;
  }

  /** @param hasFound there may be more for others */
  leave(turn: Turn, hasFound: boolean): void {
    if (turn.isMine) {
      this.#looking--;
      if (hasFound) this.#passOn(2);
      else if (this.#looking === 0) this.#passOn(1);
    } else this.#waiting.delete(turn);
    if (this.#looking === 0) this.#emptied();
  }

  #passOn(count: number): void {
    let left = count;
    for (const turn of this.#waiting) {
      if (left-- === 0) return;
      this.#waiting.delete(turn);
      this.#looking++;
      turn.isMine = true;
      turn.wake();
    }
  }
}

function nothing(): void {}
