import type { Clock, Timer } from '../clock.ts';
import type { Driver, TopologyChange } from '../driver.ts';
import type { Events } from '../events.ts';
import type { MessageSender } from '../message-sender.ts';
import type { Topology } from '../topology.ts';
import { ScheduleRunner } from './schedule-runner.ts';

export interface SchedulerParts {
  readonly driver: Driver;
  readonly topology: Topology;
  readonly sender: MessageSender;
  readonly events: Events;
  readonly clock: Clock;
  /** Names this process in what it claims. */
  readonly instance: string;
}

/** The store's clock may be set while we wait by our own: it is asked again this often. */
const ASK_EVERY_MS = 60_000;
/** After the store did not tell the time. */
const RETRY_MS = 1_000;

/**
 * Wakes the runners of schedules when their ticks are due, by the store's clock: it is asked at
 * every wake-up, and of this process's own only spans are used, so that a wrong one does no harm.
 * With no schedules it does nothing at all.
 */
export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #runners = new Map<string, ScheduleRunner>();
  #timer: Timer | null = null;
  #looking: Promise<void> | null = null;
  #again = false;
  #unwatch: (() => void) | null = null;
  #isClosed = false;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
  }

  start(): void {
    const { topology } = this.#parts;
    this.#unwatch = topology.watch((change) => this.#changed(change));
    for (const { name } of topology.list('schedule')) this.#add(name);
    if (this.#runners.size > 0) this.#look();
  }

  /** Begins no further tick, and waits for those that were begun. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unwatch?.();
    this.#timer?.cancel();
    for (const runner of this.#runners.values()) runner.stop();
    await this.#looking;
    for (const runner of this.#runners.values()) await runner.idle();
  }

  #changed(change: TopologyChange): void {
    const { kind, name } = change.type === 'put' ? change.entry : change;
    if (kind !== 'schedule') return;
    const runner = this.#runners.get(name) ?? this.#add(name);
    runner.changed();
    if (change.type === 'removed') this.#runners.delete(name);
    // One that is running sees the change by itself.
    else if (!runner.isRunning) this.#look();
  }

  #add(name: string): ScheduleRunner {
    const { topology, sender, events, instance, driver } = this.#parts;
    const { shared } = driver.supports;
    const runner = new ScheduleRunner(name, { topology, sender, events, instance, shared });
    this.#runners.set(name, runner);
    return runner;
  }

  #look(): void {
    this.#again = true;
    this.#looking ??= this.#lookUntilSettled().finally(() => {
      this.#looking = null;
    });
  }

  async #lookUntilSettled(): Promise<void> {
    while (this.#again && !this.#isClosed) {
      this.#again = false;
      await this.#lookOnce();
    }
  }

  async #lookOnce(): Promise<void> {
    const { driver, clock, events } = this.#parts;
    // From before the question on: should this process be held up, it wakes too early, not too late.
    const askedAt = clock.now();
    let now: number;
    try {
      now = await driver.now();
    } catch (error) {
      events.emit('scheduleError', { schedule: null, tick: null, error, givenUp: false });
      this.#wait(RETRY_MS);
      return;
    }
    for (const runner of this.#runners.values()) {
      if (runner.isRunning || (runner.lookAt ?? Infinity) > now) continue;
      void runner.run(now).then(() => this.#arm(now, askedAt));
    }
    this.#arm(now, askedAt);
  }

  /** @param now the store's time, asked for at `askedAt` by our clock */
  #arm(now: number, askedAt: number): void {
    let lookAt = Infinity;
    for (const runner of this.#runners.values()) {
      if (!runner.isRunning) lookAt = Math.min(lookAt, runner.lookAt ?? Infinity);
    }
    const passed = this.#parts.clock.now() - askedAt;
    this.#wait(Math.max(0, lookAt - now - passed));
  }

  #wait(ms: number): void {
    this.#timer?.cancel();
    if (this.#isClosed || ms === Infinity) return;
    this.#timer = this.#parts.clock.setTimer(() => this.#look(), Math.min(ms, ASK_EVERY_MS));
  }
}
