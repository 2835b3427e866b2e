// The network's time is real time; what is due in the store is for the server's clock to say (G14).
/* oxlint-disable no-restricted-globals, no-restricted-properties */
import { randomInt } from 'node:crypto';

/** Waits about that long, so that many who failed together do not come back together. */
export function sleepAbout(ms: number): Promise<void> {
  const exact = ms / 2 + (randomInt(1_000) / 1_000) * ms;
  return new Promise((resolve) => void setTimeout(resolve, exact));
}

/** A timer that does not keep the process alive. @returns how to take it back */
export function after(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  timer.unref();
  return () => clearTimeout(timer);
}

/** @returns milliseconds, of which only differences mean something */
export function monotonic(): number {
  return performance.now();
}

/** @returns this machine's wall clock, in milliseconds since 1970: to hold against the server's */
export function wallTime(): number {
  return Date.now();
}
