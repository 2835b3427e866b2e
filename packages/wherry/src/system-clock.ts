import type { Clock, Timer } from './core/clock.ts';

/** What setTimeout can wait at most; a longer wait ends early, and whoever waits looks again. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/**
 * Wall time when it was made plus the monotonic clock since (G14): a wall clock that is set back or
 * forth while the program runs moves no lease, delay or expiry.
 */
export class SystemClock implements Clock {
  readonly #start: number = Date.now() - performance.now();

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
