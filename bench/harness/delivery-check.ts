/** Thrown by a run whose figures count for nothing, since it did not deliver exactly. */
export class InvalidRunError extends Error {
  override readonly name = 'InvalidRunError';
}

const NAMED_MAX = 5;

/** Checks that each of a range of numbered messages came, and came once. */
export class DeliveryCheck {
  readonly #first: number;
  readonly #seen: Uint8Array;
  readonly #wrong: string[] = [];
  #wrongCount = 0;
  #count = 0;

  /** @param first the lowest number @param count how many are expected */
  constructor(first: number, count: number) {
    this.#first = first;
    this.#seen = new Uint8Array(count);
  }

  /** How many different messages came so far. */
  get count(): number {
    return this.#count;
  }

  get isComplete(): boolean {
    return this.#count === this.#seen.length;
  }

  /** The message with this number came. */
  mark(number: number): void {
    const index = number - this.#first;
    if (this.#seen[index] === 0) {
      this.#seen[index] = 1;
      this.#count++;
      return;
    }
    this.#wrongCount++;
    if (this.#wrong.length === NAMED_MAX) return;
    const isOurs = this.#seen[index] === 1;
    this.#wrong.push(isOurs ? `${number} came twice` : `${number} was never sent`);
  }

  /** @throws InvalidRunError when a message did not come, or came more than once */
  verify(): void {
    const missing = this.#seen.length - this.#count;
    if (missing === 0 && this.#wrongCount === 0) return;
    const firstMissing = this.#first + this.#seen.indexOf(0);
    const reasons = [
      ...(missing > 0 ? [`${missing} never came, the first of them ${firstMissing}`] : []),
      ...this.#wrong,
      ...(this.#wrongCount > NAMED_MAX ? [`${this.#wrongCount - NAMED_MAX} more such`] : []),
    ];
    throw new InvalidRunError(
      `Of ${this.#seen.length} messages that were sent: ${reasons.join('; ')}.`,
    );
  }
}
