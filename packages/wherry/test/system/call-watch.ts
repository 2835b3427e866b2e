import type { Driver, TopologyStore } from '../../src/core/driver.ts';

/** Turns of the event loop in which what a call set off makes its next call. */
const TURNS = 4;

/** Knows how many calls of its drivers are under way, and so when a system has come to rest. */
export class CallWatch {
  #underWay = 0;

  /** The same driver, watched. */
  watch(driver: Driver): Driver {
    const topology = this.#watchAll<TopologyStore>(driver.topology, {});
    return this.#watchAll<Driver>(driver, { topology });
  }

  /** Resolves when no call is under way, and none comes of those that were. */
  async rest(): Promise<void> {
    for (let turns = 0; turns < TURNS; turns++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#underWay > 0) turns = -1;
    }
  }

  #watchAll<Target extends object>(target: Target, instead: Partial<Target>): Target {
    return new Proxy(target, {
      get: (_, key) => {
        const name = key as keyof Target;
        const value: unknown = name in instead ? instead[name] : target[name];
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => this.#count(Reflect.apply(value, target, args));
      },
    });
  }

  #count(result: unknown): unknown {
    if (!(result instanceof Promise)) return result;
    this.#underWay++;
    return result.finally(() => this.#underWay--);
  }
}
