import type { Clock, Timer } from './core/clock.ts';

/** What setTimeout can wait at most; a longer wait ends early, and whoever waits looks again. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/**
 * Wall time when it was made plus the monotonic clock since (G14): a wall clock that is set back or
 * forth while the program runs moves no lease, delay or expiry.
 */
export class SystemClock implements Clock {
  readonly #start: number = wallAtZero();

  now(): number {
    return Math.floor(this.#start + performance.now());
  }

  setTimer(callback: () => void, ms: number): Timer {
    if (ms <= 0) {
      const immediate = setImmediate(callback);
      return { cancel: () => clearImmediate(immediate) };
    }
    const timeout = setTimeout(callback, Math.min(Math.ceil(ms), TIMEOUT_MAX_MS));
    return { cancel: () => clearTimeout(timeout) };
  }
}

/** Tries to read both clocks at one moment; a process that is set aside in between reads two. */
const READ_TRIES = 5;

/** @returns the wall time at which the monotonic clock was 0, in milliseconds since 1970 */
function wallAtZero(): number {
  let least = Infinity;
  let zero = 0;
  for (let i = 0; i < READ_TRIES; i++) {
    const before = performance.now();
    const wall = Date.now();
    const after = performance.now();
    if (after - before < least) {
      least = after - before;
      zero = wall - (before + after) / 2;
    }
  }
  return zero;
}
