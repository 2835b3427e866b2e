/** Means to plant a bug in a driver and to see what the conformance suite says about it. */
import type { Clock } from '../../../src/core/clock.ts';
import type {
  Driver,
  LeasedMessage,
  QueueRef,
  Receipt,
  StoredMessage,
} from '../../../src/core/driver.ts';
import type { MessageState } from '../../../src/core/message.ts';
import { createMemoryDriver } from '../../../src/drivers/memory/index.ts';
import {
  conformanceSuite,
  type CreateStore,
  type ModelOptions,
} from '../../../src/testing/index.ts';

/** A bug in a driver, and what must see it. */
export interface Bug {
  /** How the titles of the tests begin that must see it. */
  readonly breaks: string;
  readonly plant?: (driver: Driver) => Driver;
  /** Plants it inside the memory driver instead, the model's too. @returns how to take it out */
  readonly patch?: () => () => void;
  /** The random histories see it, too. */
  readonly inHistories?: boolean;
}

/** A driver whose other methods are those of the correct one. */
export function override(driver: Driver, methods: Partial<Driver>): Driver {
  return new Proxy(driver, {
    get(target, key: keyof Driver) {
      const value: unknown = key in methods ? methods[key] : target[key];
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Replaces a method of the driver's inside. @returns how to put it back */
export function patch<T extends object, K extends keyof T>(
  prototype: T,
  key: K,
  method: T[K],
): () => void {
  const original = prototype[key];
  prototype[key] = method;
  return () => {
    prototype[key] = original;
  };
}

export function receiptOf(queue: QueueRef, { id, lease }: LeasedMessage): Receipt {
  return { queue, id, token: lease.token };
}

/** Stores of memory drivers with a bug. */
export function memoryStores(plant: (driver: Driver, clock: Clock) => Driver): CreateStore {
  return async (clock) => ({
    connect: () => plant(createMemoryDriver({ clock }), clock),
    remove: async () => undefined,
  });
}

/** What a store that only pretends to persist may get wrong when it is opened again. */
export interface RestartBug {
  /** Changes the driver, once and for all restarts. */
  readonly wrap?: (driver: Driver) => Driver;
  /** Instead of ending the leases that end with their driver. */
  readonly restart?: (driver: Driver, ending: readonly Receipt[]) => Promise<unknown>;
}

/** A memory driver that lives through `close` and crashes, so that restarts can be got wrong. */
export function lastingStores(bug: RestartBug = {}): CreateStore {
  const end = (driver: Driver, ending: readonly Receipt[]): Promise<unknown> =>
    driver.extend(ending.map((receipt) => ({ receipt, leaseDuration: 0 })));
  return async (clock) => {
    const memory = createMemoryDriver({ clock });
    const driver = bug.wrap?.(memory) ?? memory;
    await driver.open();
    const ending: Receipt[] = [];
    let openings = 0;
    return {
      connect: () =>
        lasting(driver, ending, async () => {
          openings += 1;
          if (openings > 1) await (bug.restart ?? end)(driver, ending.splice(0));
        }),
      crash: async () => undefined,
      remove: async () => undefined,
    };
  };
}

/** @param ending gets the leases that end when the driver does */
function lasting(driver: Driver, ending: Receipt[], open: () => Promise<void>): Driver {
  let isClosed = false;
  const refuseIfClosed = (): void => {
    if (isClosed) throw new Error('closed');
  };
  return override(driver, {
    open,
    close: async () => {
      isClosed = true;
    },
    publish: async (items, options) => {
      refuseIfClosed();
      return driver.publish(items, options);
    },
    take: async (request) => {
      refuseIfClosed();
      const taken = await driver.take(request);
      const receipts = taken.messages.map((one) => receiptOf(request.queue, one));
      if (request.bound) ending.push(...receipts);
      return taken;
    },
    sweep: async (max) => {
      const result = await driver.sweep(max);
      for (const message of result.messages) {
        const queue = { number: message.queue } as QueueRef;
        ending.push(receiptOf(queue, message));
      }
      return result;
    },
  });
}

export interface Verdict {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** By failed test. */
  readonly errors: readonly unknown[];
}

export interface SuiteRun {
  readonly createStore: CreateStore;
  readonly only: (title: string) => boolean;
  readonly gaps?: Readonly<Record<string, string>>;
  readonly model?: ModelOptions;
}

/** Runs the suite, or those of its tests that `only` picks, one after the other. */
export async function runSuite({ only, ...options }: SuiteRun): Promise<Verdict> {
  const tests: { title: string; body: () => Promise<void> }[] = [];
  conformanceSuite({
    ...options,
    name: 'planted',
    test: (title, body) => tests.push({ title: title.slice('planted: '.length), body }),
    skip: () => undefined,
  });
  const passed: string[] = [];
  const failed: string[] = [];
  const errors: unknown[] = [];
  for (const { title, body } of tests.filter((one) => only(one.title))) {
    try {
      await body();
      passed.push(title);
    } catch (error) {
      failed.push(title);
      errors.push(error);
    }
  }
  return { passed, failed, errors };
}

/** Everything in one state; enough for the few messages of a test. */
export async function browseAll(
  driver: Driver,
  queue: QueueRef,
  state: MessageState,
): Promise<readonly StoredMessage[]> {
  return (await driver.browse({ queue, state, limit: 1_000 })).messages;
}
