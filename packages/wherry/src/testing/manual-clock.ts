import type { Clock, Timer } from '../core/clock.ts';

/** The longest that `Clock.setTimer` waits. */
const TIMER_MAX_MS = 2 ** 31 - 1;

interface PendingTimer {
  readonly dueAt: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until it is moved. Timers fire in order of their time, each with the
 * clock at exactly that time, also those that a timer sets on the way.
 *
 * @example
 * const clock = new ManualClock();
 * clock.setTimer(() => console.log('due'), 1_000);
 * clock.advance(1_000); // prints 'due'
 */
export class ManualClock implements Clock {
  #now: number;
  /** In order of setting, which decides between timers of the same time. */
  readonly #timers = new Set<PendingTimer>();

  /** @param start milliseconds since 1970 */
  constructor(start: number = Date.UTC(2030, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  /** How many timers wait. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  setTimer(callback: () => void, ms: number): Timer {
    const wait = Math.min(Math.max(0, ms), TIMER_MAX_MS);
    const timer: PendingTimer = { dueAt: this.#now + wait, callback };
    this.#timers.add(timer);
    // 'As soon as I/O had its turn' is no matter of time.
    if (wait === 0) {
      setImmediate(() => {
        if (this.#timers.delete(timer)) callback();
      });
    }
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /**
   * Moves on and fires what becomes due.
   * @param ms milliseconds, not negative
   */
  advance(ms: number): void {
    this.advanceTo(this.#now + ms);
  }

  /**
   * Moves to a moment and fires what becomes due.
   * @param time milliseconds since 1970
   * @throws RangeError when it lies in the past: clocks never go back
   */
  advanceTo(time: number): void {
    this.#refusePast(time);
    while (this.#fireNext(time));
    this.#now = time;
  }

  /**
   * As `advance`, but what a timer set off gets to run before the next one fires.
   * @param ms milliseconds, not negative
   * @param settle waits until that has run; left out: one turn of the event loop, which is enough
   *   for promises, not for work in other threads
   */
  async advanceAsync(ms: number, settle: () => Promise<void> = nextTurn): Promise<void> {
    const time = this.#now + ms;
    this.#refusePast(time);
    await settle();
    // Another call may have moved the clock further while this one settled.
    while (this.#fireNext(time)) await settle();
    this.#now = Math.max(this.#now, time);
    await settle();
  }

  #refusePast(time: number): void {
    if (time >= this.#now) return;
    throw new RangeError(`The clock is at ${this.#now}; it cannot go back to ${time}.`);
  }

  /** @returns whether a timer was due by `time` */
  #fireNext(time: number): boolean {
    let next: PendingTimer | null = null;
    for (const timer of this.#timers) {
      if (timer.dueAt <= time && (next === null || timer.dueAt < next.dueAt)) next = timer;
    }
    if (next === null) return false;
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.dueAt);
    next.callback();
    return true;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
