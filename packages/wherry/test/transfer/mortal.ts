import type { Driver } from '../../src/core/driver.ts';

/** Thrown by a driver whose process is dead: nobody is there to see it. */
export class KilledError extends Error {}

const CHANGING: ReadonlySet<string> = new Set(['publish', 'take', 'settle', 'release']);

/** Where a life ends. */
export interface End {
  /** Its last call, counted over all stores. */
  readonly call: number;
  /** Before the call reaches the store, or before its answer comes. */
  readonly when: 'before' | 'after';
  /** Changes of definitions are counted, too. */
  readonly topologyToo?: boolean;
}

/** A process that works on several stores and is killed at one of its calls. */
export class Life {
  calls = 0;
  #isOver = false;
  readonly #end: End | null;

  constructor(end: End | null = null) {
    this.#end = end;
  }

  /** @returns an open store as this process sees it; what it closes stays open for others */
  of(driver: Driver, supports: Partial<Driver['supports']> = {}): Driver {
    return new Proxy(driver, {
      get: (target, name: string) => {
        if (name === 'open' || name === 'close') return () => Promise.resolve();
        if (name === 'supports') return { ...target.supports, ...supports };
        if (name === 'topology' && this.#end?.topologyToo === true) return this.#topology(driver);
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const call = value.bind(target) as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => this.#live(name, () => call(...args));
      },
    });
  }

  #topology({ topology }: Driver): Driver['topology'] {
    return {
      load: () => topology.load(),
      watch: (listener) => topology.watch(listener),
      put: (entry, version) =>
        this.#live('publish', () => topology.put(entry, version)) as ReturnType<
          Driver['topology']['put']
        >,
      remove: (kind, name, version) => topology.remove(kind, name, version),
    };
  }

  async #live(name: string, call: () => Promise<unknown>): Promise<unknown> {
    if (this.#isOver) throw new KilledError();
    if (!CHANGING.has(name)) return call();
    this.calls++;
    const isLast = this.calls === this.#end?.call;
    if (isLast) this.#isOver = true;
    if (isLast && this.#end?.when === 'before') throw new KilledError();
    const answer = await call();
    if (isLast) throw new KilledError();
    return answer;
  }
}
