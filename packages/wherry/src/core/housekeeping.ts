import type { Driver, Housekeeper, PublishItem, QueueRef } from './driver.ts';
import { ValidationError } from './errors.ts';
import type { Events } from './events.ts';
import type { IdleQueues } from './idle-queues.ts';
import { show } from './limits.ts';
import type { Scheduler } from './schedules/scheduler.ts';
import type { Settler } from './settler.ts';
import type { Sweeper } from './sweeper.ts';
import type { Topology } from './topology.ts';

/** Of each system that is open. A broker needs it, a program does not: so it is no property. */
const housekeepings = new WeakMap<object, Housekeeping>();

/** @param system a `MessageQueueSystem` */
export function setHousekeeping(system: object, housekeeping: Housekeeping): void {
  housekeepings.set(system, housekeeping);
}

/** @param system a `MessageQueueSystem` @throws ValidationError when it is none */
export function housekeepingOf(system: object): Housekeeping {
  const housekeeping = housekeepings.get(system);
  if (housekeeping !== undefined) return housekeeping;
  throw new ValidationError(`system is ${show(system)}; it must be a MessageQueueSystem.`);
}

export interface HousekeepingParts {
  readonly driver: Driver;
  readonly events: Events;
  readonly topology: Topology;
  readonly sweeper: Sweeper;
  readonly settler: Settler;
  readonly idleQueues: IdleQueues;
  readonly scheduler: Scheduler;
}

/**
 * What happens because time passes: expired leases and messages, schedules, queues that are idle.
 * Where another process of the store sees to it, this one begins when that one is gone.
 */
export class Housekeeping implements Housekeeper {
  readonly driver: Driver;
  readonly events: Events;
  readonly #parts: HousekeepingParts;
  #isSweeping = false;
  #isRunning = false;
  #isClosed = false;

  constructor(parts: HousekeepingParts) {
    this.driver = parts.driver;
    this.events = parts.events;
    this.#parts = parts;
  }

  /** Decides on what a crash left behind, before anything is handed out. */
  async open(): Promise<void> {
    if (this.driver.supports.managed === true) return;
    this.#isSweeping = true;
    await this.#parts.sweeper.start(this.#parts.settler);
  }

  /** Runs, now or when it is this process's turn. */
  start(): void {
    this.driver.entrust?.(this);
    if (this.driver.supports.managed !== true) this.begin();
  }

  /** It is this process's turn. */
  begin(): void {
    if (this.#isRunning || this.#isClosed) return;
    this.#isRunning = true;
    const { sweeper, settler, idleQueues, scheduler } = this.#parts;
    if (!this.#isSweeping) void sweeper.start(settler);
    this.#isSweeping = true;
    idleQueues.start();
    scheduler.start();
  }

  expectWithin(ms: number): void {
    this.#parts.sweeper.expectWithin(ms);
  }

  expectPublished(item: PublishItem): void {
    this.#parts.sweeper.expectPublished(item);
  }

  expectMoved(target: QueueRef): void {
    this.#parts.sweeper.expectMoved(target);
  }

  used(queueNumber: number): void {
    const queue = this.#parts.topology.queueByNumber(queueNumber);
    if (queue !== undefined) this.#parts.idleQueues.used(queue.name);
  }

  askForUse(isUsed: (queueNumber: number) => boolean): () => void {
    return this.#parts.idleQueues.askForUse(isUsed);
  }

  /** Begins nothing any more, and waits for the schedules' ticks that were begun. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#parts.idleQueues.close();
    await this.#parts.scheduler.close();
  }
}
