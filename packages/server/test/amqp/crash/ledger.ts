/**
 * What publishers were told and consumers did. Each number is published once: nothing confirmed may
 * be lost, and nothing come again whose acknowledgement is known to be stored.
 */
export class Ledger {
  readonly violations: string[] = [];
  deliveries = 0;
  redeliveries = 0;
  #published = 0;
  readonly #confirmed = new Set<number>();
  readonly #delivered = new Set<number>();
  readonly #acknowledged = new Set<number>();

  get published(): number {
    return this.#published;
  }

  get confirmed(): number {
    return this.#confirmed.size;
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  newMessage(): number {
    return this.#published++;
  }

  confirm(number: number): void {
    this.#confirmed.add(number);
  }

  deliver(number: number, isRedelivered: boolean): void {
    this.deliveries++;
    if (isRedelivered) this.redeliveries++;
    if (!(number >= 0 && number < this.#published)) {
      this.violations.push(`${number} came, and nobody published it`);
    }
    if (this.#acknowledged.has(number)) {
      this.violations.push(`${number} came again after its acknowledgement was stored`);
    }
    if (this.#delivered.has(number) && !isRedelivered) {
      this.violations.push(`${number} came again without being marked as redelivered`);
    }
    this.#delivered.add(number);
  }

  /** A later call on the channel was answered: the broker has stored the acknowledgements. */
  acknowledge(numbers: readonly number[]): void {
    for (const number of numbers) this.#acknowledged.add(number);
  }

  /** @returns what was confirmed, and never came, though the queue is empty */
  lost(): number[] {
    return [...this.#confirmed].filter((number) => !this.#delivered.has(number));
  }
}
