/**
 * What producers were told and consumers did, message by message; payloads are numbers.
 * Nothing confirmed may be lost, and nothing may come again once its acknowledgement was confirmed.
 */
export class Ledger {
  readonly violations: string[] = [];
  deliveries = 0;
  #next = 0;
  readonly #confirmed = new Set<number>();
  /** With the end of the lease that it was acknowledged with. */
  readonly #acknowledged = new Map<number, number>();
  /** Somebody acknowledged it, and the answer never came. */
  readonly #inDoubt = new Set<number>();

  get confirmed(): number {
    return this.#confirmed.size;
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  get inDoubt(): number {
    return this.#inDoubt.size;
  }

  /** @returns a number that nobody else sends */
  newMessage(): number {
    return this.#next++;
  }

  confirm(numbers: readonly number[]): void {
    for (const number of numbers) this.#confirmed.add(number);
  }

  /**
   * @param until when its lease was to end at first, by the store's clock. An answer of the broker may be
   *   late, so that its lease is over when it comes: it is older than the one that was acknowledged.
   */
  deliver(number: number, until: number): void {
    this.deliveries += 1;
    if (until > (this.#acknowledged.get(number) ?? Infinity)) {
      this.violations.push(`${number} came again after its acknowledgement was confirmed`);
    }
    if (!Number.isInteger(number) || number < 0 || number >= this.#next) {
      this.violations.push(`${number} came, and nobody sent it`);
    }
  }

  acknowledge(number: number, until: number): void {
    if (this.#acknowledged.has(number)) {
      this.violations.push(`${number} was acknowledged twice, with success`);
    }
    this.#acknowledged.set(number, until);
    this.#inDoubt.delete(number);
  }

  doubt(numbers: readonly number[]): void {
    for (const number of numbers) {
      if (!this.#acknowledged.has(number)) this.#inDoubt.add(number);
    }
  }

  /** @returns messages that were confirmed, and that nobody has handled though all is quiet */
  lost(): number[] {
    return [...this.#confirmed].filter(
      (number) => !this.#acknowledged.has(number) && !this.#inDoubt.has(number),
    );
  }
}
