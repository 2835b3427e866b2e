import type { Driver, Notifier, Capabilities, TopologyStore } from '../core/driver.ts';
import { StorageError } from '../core/errors.ts';

/** The methods of a driver that can be made to fail. */
export type DriverMethod = {
  [Name in keyof Driver]: Driver[Name] extends (...args: never[]) => Promise<unknown>
    ? Name
    : never;
}[keyof Driver];

/** What goes wrong, with which call. */
export interface Fault {
  readonly method: DriverMethod;
  /** Which call from now on, 1 being the next. */
  readonly call: number;
  /** Before the call takes effect, or after: then it did its work, and nobody is told. */
  readonly when: 'before' | 'after';
  /** What the call rejects with; left out: it succeeds, after `delay`. */
  readonly error?: Error;
  /** What the call waits for. */
  readonly delay?: () => Promise<void>;
}

interface PlannedFault extends Fault {
  /** The call's number, counted from the beginning. */
  readonly at: number;
}

/**
 * A driver around another one that fails or delays the calls it is told to.
 *
 * @example
 * const driver = new FaultyDriver(createMemoryDriver({ clock }));
 * driver.plan({ method: 'settle', call: 2, when: 'after', error: new StorageError('disk gone') });
 */
export class FaultyDriver implements Driver {
  readonly name: string;
  readonly supports: Capabilities;
  readonly topology: TopologyStore;
  readonly notifier: Notifier;
  readonly #driver: Driver;
  readonly #calls = new Map<DriverMethod, number>();
  readonly #faults = new Set<PlannedFault>();

  constructor(driver: Driver) {
    this.#driver = driver;
    this.name = driver.name;
    this.supports = driver.supports;
    this.topology = driver.topology;
    this.notifier = driver.notifier;
  }

  /** How many faults have not happened yet. */
  get pendingFaults(): number {
    return this.#faults.size;
  }

  /** @returns how often a method was called so far */
  callsOf(method: DriverMethod): number {
    return this.#calls.get(method) ?? 0;
  }

  /** Lets a later call go wrong; faults planned for the same call all happen. */
  plan(fault: Fault): void {
    this.#faults.add({ ...fault, at: this.callsOf(fault.method) + fault.call });
  }

  /** Plans the failure of the next call with a StorageError, before it takes effect. */
  failNext(method: DriverMethod): void {
    const error = new StorageError(`The ${method} call was made to fail.`);
    this.plan({ method, call: 1, when: 'before', error });
  }

  open(): Promise<void> {
    return this.#run('open', () => this.#driver.open());
  }

  close(): Promise<void> {
    return this.#run('close', () => this.#driver.close());
  }

  publish(...args: Parameters<Driver['publish']>): ReturnType<Driver['publish']> {
    return this.#run('publish', () => this.#driver.publish(...args));
  }

  now(): Promise<number> {
    return this.#driver.now();
  }

  take(...args: Parameters<Driver['take']>): ReturnType<Driver['take']> {
    return this.#run('take', () => this.#driver.take(...args));
  }

  settle(...args: Parameters<Driver['settle']>): ReturnType<Driver['settle']> {
    return this.#run('settle', () => this.#driver.settle(...args));
  }

  release(...args: Parameters<Driver['release']>): ReturnType<Driver['release']> {
    return this.#run('release', () => this.#driver.release(...args));
  }

  move(...args: Parameters<Driver['move']>): ReturnType<Driver['move']> {
    return this.#run('move', () => this.#driver.move(...args));
  }

  extend(...args: Parameters<Driver['extend']>): ReturnType<Driver['extend']> {
    return this.#run('extend', () => this.#driver.extend(...args));
  }

  sweep(...args: Parameters<Driver['sweep']>): ReturnType<Driver['sweep']> {
    return this.#run('sweep', () => this.#driver.sweep(...args));
  }

  browse(...args: Parameters<Driver['browse']>): ReturnType<Driver['browse']> {
    return this.#run('browse', () => this.#driver.browse(...args));
  }

  get(...args: Parameters<Driver['get']>): ReturnType<Driver['get']> {
    return this.#run('get', () => this.#driver.get(...args));
  }

  counts(...args: Parameters<Driver['counts']>): ReturnType<Driver['counts']> {
    return this.#run('counts', () => this.#driver.counts(...args));
  }

  purge(...args: Parameters<Driver['purge']>): ReturnType<Driver['purge']> {
    return this.#run('purge', () => this.#driver.purge(...args));
  }

  deleteQueue(...args: Parameters<Driver['deleteQueue']>): ReturnType<Driver['deleteQueue']> {
    return this.#run('deleteQueue', () => this.#driver.deleteQueue(...args));
  }

  async #run<T>(method: DriverMethod, work: () => Promise<T>): Promise<T> {
    const at = this.callsOf(method) + 1;
    this.#calls.set(method, at);
    const faults = [...this.#faults].filter((fault) => fault.method === method && fault.at === at);
    for (const fault of faults) this.#faults.delete(fault);
    for (const fault of faults) if (fault.when === 'before') await happen(fault);
    const result = await work();
    for (const fault of faults) if (fault.when === 'after') await happen(fault);
    return result;
  }
}

async function happen({ delay, error }: Fault): Promise<void> {
  await delay?.();
  if (error !== undefined) throw error;
}
