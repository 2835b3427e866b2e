// The network's time is real time, also where a test moves the messages' clock by hand.
/* oxlint-disable no-restricted-globals, no-restricted-properties */

/** A moment after which nobody waits any more. */
export class Deadline {
  /** Resolves when it has come; never when it was cancelled. */
  readonly reached: Promise<void>;
  #isOver = false;
  readonly #timer: NodeJS.Timeout;

  /** @param ms milliseconds from now */
  constructor(ms: number) {
    let reach: () => void;
    this.reached = new Promise((resolve) => (reach = resolve));
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      reach();
    }, ms);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}

/** @returns a promise that resolves after so many milliseconds, or when the signal says so */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
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

/** @returns milliseconds, of which only differences mean something */
export function monotonic(): number {
  return performance.now();
}

/** @returns this machine's wall clock, in milliseconds since 1970: to hold against the server's */
export function wallTime(): number {
  return Date.now();
}
