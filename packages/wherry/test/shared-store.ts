import type { Driver, TopologyStore } from '../src/core/driver.ts';
import { type ManualClock, createMemoryDriver } from '../src/testing/index.ts';

/** Turns of the event loop in which what a call set off makes its next call. */
const TURNS = 4;

export interface SharedStoreOptions {
  readonly clock: ManualClock;
  /** Turns of the event loop that a call takes on its way there, and again on its way back. */
  readonly latency: () => number;
  /** Milliseconds until a process is told of a change; `Infinity`: never. */
  readonly newsLatency: () => number;
}

/** A call takes long, on its way there or back: the process, or the net, is held up. */
export interface Stall {
  /** Which call, 1 being the next. */
  readonly call: number;
  readonly ms: number;
  readonly when: 'there' | 'back';
}

/** A process, as far as the store sees it. */
class Process {
  /** Calls until it dies of one. */
  #callsLeft = Infinity;
  #lastTakesEffect = true;
  #stall: Stall | null = null;
  isDead = false;

  dieAt(call: number, takesEffect: boolean): void {
    this.#callsLeft = Math.min(this.#callsLeft, call);
    this.#lastTakesEffect = takesEffect;
  }

  stallAt(stall: Stall | null): void {
    this.#stall = stall;
  }

  /** @returns how the call that begins is held up */
  stall(): Stall | null {
    if (this.#stall === null || this.#stall.call > 1) {
      this.#stall &&= { ...this.#stall, call: this.#stall.call - 1 };
      return null;
    }
    const stall = this.#stall;
    this.#stall = null;
    return stall;
  }

  /** @returns whether the call takes effect */
  begin(): boolean {
    if (this.isDead) return false;
    this.#callsLeft -= 1;
    this.isDead = this.#callsLeft <= 0;
    return !this.isDead || this.#lastTakesEffect;
  }
}

/** A process's connection to the store. */
export interface Connection {
  readonly driver: Driver;
  /**
   * The process dies at a call, 1 being the next: whether that one takes effect or not, the process
   * hears nothing of it, nor of anything else.
   */
  readonly dieAt: (call: number, takesEffect: boolean) => void;
  readonly stallAt: (stall: Stall | null) => void;
  readonly isDead: () => boolean;
}

/** One store for several processes, which may die at any of their calls. */
export class SharedStore {
  readonly memory: Driver;
  readonly #options: SharedStoreOptions;
  #underWay = 0;

  constructor(options: SharedStoreOptions) {
    this.#options = options;
    this.memory = createMemoryDriver({ clock: options.clock });
  }

  /** Resolves when no call is under way, and none comes of those that were. */
  async rest(): Promise<void> {
    for (let quiet = 0; quiet < TURNS; quiet++) {
      await turns(1);
      if (this.#underWay > 0) quiet = -1;
    }
  }

  connect(): Connection {
    const { memory } = this;
    const process = new Process();
    const call = <T>(work: () => Promise<T>): Promise<T> => this.#call(process, work);
    const topology: TopologyStore = {
      load: () => call(() => memory.topology.load()),
      put: (...args) => call(() => memory.topology.put(...args)),
      remove: (...args) => call(() => memory.topology.remove(...args)),
      watch: (listener) =>
        memory.topology.watch((change) => {
          const { clock, newsLatency } = this.#options;
          const wait = newsLatency();
          if (wait === Infinity) return;
          clock.setTimer(() => process.isDead || listener(change), wait);
        }),
    };
    const own: Partial<Driver> = {
      topology,
      supports: { ...memory.supports, shared: true },
      open: async () => undefined,
      close: async () => undefined,
    };
    const driver = new Proxy(memory, {
      get: (_, key: keyof Driver) => {
        if (key in own) return own[key];
        const value: unknown = memory[key];
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => call(() => Reflect.apply(value, memory, args));
      },
    });
    return {
      driver,
      dieAt: (at, takesEffect) => process.dieAt(at, takesEffect),
      stallAt: (stall) => process.stallAt(stall),
      isDead: () => process.isDead,
    };
  }

  /** Nobody waits for it to come to rest. */
  async #hold({ ms }: Stall): Promise<void> {
    this.#underWay--;
    await new Promise<void>((resolve) => this.#options.clock.setTimer(resolve, ms));
    this.#underWay++;
  }

  async #call<T>(process: Process, work: () => Promise<T>): Promise<T> {
    const { latency } = this.#options;
    const takesEffect = process.begin();
    const stall = process.stall();
    this.#underWay++;
    await turns(latency());
    if (stall?.when === 'there') await this.#hold(stall);
    const [result] = takesEffect ? await Promise.allSettled([work()]) : [undefined];
    if (stall?.when === 'back') await this.#hold(stall);
    await turns(latency());
    this.#underWay--;
    if (process.isDead || result === undefined) return forever();
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  }
}

function forever<T>(): Promise<T> {
  return new Promise(() => {});
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
