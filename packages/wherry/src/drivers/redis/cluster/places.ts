import type { QueueRef } from '../../../core/driver.ts';

/** @returns the queue as one place can treat it: what it would drop to another stays its problem */
export function alone(queue: QueueRef): QueueRef {
  return dropsElsewhere(queue) ? { ...queue, overflow: 'reject', evictTo: null } : queue;
}

/** Whether what the queue drops to make room goes to another place. */
export function dropsElsewhere(queue: QueueRef): boolean {
  const { overflow, evictTo } = queue;
  return overflow === 'drop-oldest' && evictTo !== null && evictTo.number !== queue.number;
}

/** Puts items with one key together, in order. */
export function groupBy<Item, Key>(
  items: Iterable<Item>,
  keyOf: (item: Item) => Key,
): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
