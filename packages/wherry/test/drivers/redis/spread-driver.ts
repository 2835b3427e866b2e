import type { Driver, QueueRef } from '../../../src/core/driver.ts';

/** Where a call names queues. */
const NAMES: ReadonlySet<string> = new Set(['queue', 'targets', 'receipt']);

/** @returns the driver, for which every queue is spread over so many places */
export function spread(driver: Driver, partitions: number): Driver {
  const spreadRef = (queue: QueueRef): QueueRef => ({
    ...queue,
    partitions,
    evictTo: queue.evictTo && spreadRef(queue.evictTo),
  });
  const spreadAll = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(spreadAll);
    if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
    if ('evictTo' in value) return spreadRef(value as QueueRef);
    const entries = Object.entries(value);
    return Object.fromEntries(
      entries.map(([name, part]) => [name, NAMES.has(name) ? spreadAll(part) : part]),
    );
  };
  return new Proxy(driver, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown =>
        Reflect.apply(value, target, args.map(spreadAll)) as unknown;
    },
  });
}
