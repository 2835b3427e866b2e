import type { Driver } from '../../core/driver.ts';
import { type Outstanding, unknownOutcome } from './outstanding.ts';
import { after, monotonic } from './timers.ts';

/** The calls of a client that are not answered, in order of their beginning. */
export class CallBook {
  readonly #calls = new Map<number, Outstanding>();
  readonly #timeout: number;
  readonly #away: () => Error;
  #lastNumber = 0;
  /** Since when no host has got on with calls; null: one does. */
  #awaySince: number | null = null;
  #isAway = false;
  #stopTimer: (() => void) | null = null;
  #onIdle: () => void = () => undefined;

  /**
   * @param timeout how long calls wait for a host that is away; milliseconds
   * @param away says why there is none
   */
  constructor(timeout: number, away: () => Error) {
    this.#timeout = timeout;
    this.#away = away;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** @returns the call's number */
  add(call: Outstanding): number {
    this.#lastNumber += 1;
    this.#calls.set(this.#lastNumber, call);
    if (this.#isAway) this.#arm();
    return this.#lastNumber;
  }

  find(number: number): Outstanding | undefined {
    return this.#calls.get(number);
  }

  delete(number: number): void {
    this.#calls.delete(number);
    this.#checkIdle();
  }

  /** Those that the present host does not have. */
  *unsent(): Generator<[number, Outstanding]> {
    for (const entry of this.#calls) if (entry[1].frame === 0) yield entry;
  }

  /** There is no host: calls begin to run out of time. */
  wait(): void {
    this.#isAway = true;
    this.#awaySince ??= monotonic();
    this.#arm();
  }

  /** There is one: that it gets anything is yet to be seen. */
  pause(): void {
    this.#isAway = false;
    this.#stopTimer?.();
    this.#stopTimer = null;
  }

  /** It gets what it is sent, or answers. */
  goOn(): void {
    this.pause();
    this.#awaySince = null;
  }

  /**
   * The host that they were sent to is gone for good. Those that may be made again wait for the next.
   * @param taken how many data frames it took in all; null: it did not say
   */
  hostIsGone(taken: number | null): void {
    for (const [number, call] of this.#calls) {
      const wasTaken = call.frame > 0 && (taken === null || call.frame <= taken);
      call.frame = 0;
      if (call.isAbandoned) this.#calls.delete(number);
      else if (wasTaken && !call.isRepeatable) {
        this.#calls.delete(number);
        call.reject(unknownOutcome());
      } else call.isRepeated ||= wasTaken;
    }
    this.#checkIdle();
  }

  /** The store is here now. */
  runOn(driver: Driver): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.runOn(driver);
    this.#checkIdle();
  }

  rejectAll(error: Error): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.reject(error);
    this.#checkIdle();
  }

  /** @returns when nobody waits for an answer */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => (this.#onIdle = resolve));
  }

  get #isIdle(): boolean {
    for (const call of this.#calls.values()) if (!call.isAbandoned) return false;
    return true;
  }

  #checkIdle(): void {
    if (this.#isIdle) this.#onIdle();
  }

  /** The oldest runs out first: all have the same time from the same moment, or from later ones. */
  #arm(): void {
    if (this.#stopTimer !== null) return;
    const next = [...this.#calls.values()].find((call) => !call.isAbandoned);
    if (next === undefined) return;
    const left = this.#deadlineOf(next) - monotonic();
    this.#stopTimer = after(Math.max(0, left), () => {
      this.#stopTimer = null;
      this.#expire();
    });
  }

  #deadlineOf(call: Outstanding): number {
    return Math.max(call.since, this.#awaySince ?? Infinity) + this.#timeout;
  }

  #expire(): void {
    const now = monotonic();
    for (const [number, call] of this.#calls) {
      if (this.#deadlineOf(call) > now) break;
      if (call.isAbandoned) continue;
      if (call.frame === 0 && !call.isRepeated) {
        this.#calls.delete(number);
        call.reject(this.#away());
        continue;
      }
      // Should the host come back, it will carry it out, and its answer is seen to.
      if (call.name === 'take' && call.frame > 0) call.isAbandoned = true;
      else this.#calls.delete(number);
      call.reject(unknownOutcome(this.#away()));
    }
    this.#checkIdle();
    this.#arm();
  }
}
