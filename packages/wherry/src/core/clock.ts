/** A timer that was set and can be taken back. */
export interface Timer {
  cancel(): void;
}

/**
 * Where time comes from. Core and drivers never read a clock of their own, so a test can hand in
 * one that it moves by hand.
 */
export interface Clock {
  /** @returns milliseconds since 1970, whole; never less than what it returned before. */
  now(): number;
  /**
   * Calls `callback` once.
   * @param ms milliseconds from now; at most 2^31 - 1 are waited, then the callback comes early;
   *   0: as soon as I/O had its turn, even where the clock stands still
   */
  setTimer(callback: () => void, ms: number): Timer;
}
