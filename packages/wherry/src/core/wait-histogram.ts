/** A bucket's length is a fifth above the one before: a quantile is right to a fifth. */
const PER_OCTAVE = 4;
/** From a millisecond to more than three days. */
const BUCKETS = 29 * PER_OCTAVE;

/** How long messages waited, from when they could be had to when somebody had them for the first time. */
export class WaitHistogram {
  readonly #counts = new Float64Array(BUCKETS);

  /** @param ms milliseconds */
  observe(ms: number): void {
    const bucket = ms <= 1 ? 0 : Math.ceil(Math.log2(ms) * PER_OCTAVE);
    this.#counts[bucket < BUCKETS ? bucket : BUCKETS - 1]! += 1;
  }

  /** @returns how many of each length there were; a copy */
  counts(): Float64Array {
    return this.#counts.slice();
  }
}

/**
 * @param counts of a histogram, or what was added to them between two looks
 * @param share from 0 to 1
 * @returns milliseconds that this share of the messages did not exceed; null: there were none
 */
export function waitQuantile(counts: Readonly<Float64Array>, share: number): number | null {
  let left = counts.reduce((sum, count) => sum + count, 0);
  if (!(left > 0)) return null;
  left *= share;
  const bucket = counts.findIndex((count) => (left -= count) <= 0);
  return 2 ** ((bucket === -1 ? counts.length - 1 : bucket) / PER_OCTAVE);
}
