// The network's time is real time, also where a test moves the messages' clock by hand.
/* oxlint-disable no-restricted-globals, no-restricted-properties */

/** @returns milliseconds, of which only differences mean something */
export function monotonic(): number {
  return performance.now();
}

/**
 * Calls back once.
 * @param options.keepAlive false: the process may end before
 * @returns how to stop
 */
export function after(
  ms: number,
  callback: () => void,
  options: { readonly keepAlive: boolean } = { keepAlive: true },
): () => void {
  const timer = setTimeout(callback, ms);
  if (!options.keepAlive) timer.unref();
  return () => clearTimeout(timer);
}

/**
 * Calls back again and again, without keeping the process alive.
 * @returns how to stop
 */
export function every(ms: number, callback: () => void): () => void {
  const timer = setInterval(callback, ms);
  timer.unref();
  return () => clearInterval(timer);
}

/** @returns this machine's wall clock, in milliseconds since 1970 */
export function wallTime(): number {
  return Date.now();
}
