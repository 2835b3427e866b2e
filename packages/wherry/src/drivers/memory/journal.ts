/** Takes back what a call did before it was refused: each change notes how to undo it. */
export class Journal {
  #inverses: (() => void)[] | null = null;

  /** @param inverse undoes one change that was just made, given that all later ones were undone */
  note(inverse: () => void): void {
    this.#inverses?.push(inverse);
  }

  /** Does the work, and takes all of it back when the result is a refusal. */
  attempt<T>(work: () => T, isRefusal: (result: T) => boolean): T {
    const inverses: (() => void)[] = [];
    this.#inverses = inverses;
    let result: T;
    try {
      result = work();
    } finally {
      this.#inverses = null;
    }
    if (isRefusal(result)) for (const inverse of inverses.toReversed()) inverse();
    return result;
  }
}
