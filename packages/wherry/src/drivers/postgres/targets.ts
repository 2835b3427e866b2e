import type { QueueRef } from '../../core/driver.ts';
import { finite } from './numbers.ts';

/** @returns JSON of these queues and those to which they drop, for the type `wherry.target` */
export function targetsJson(queues: Iterable<QueueRef>): string {
  const targets: Record<number, object> = {};
  const add = (queue: QueueRef | null): void => {
    if (queue !== null) targets[queue.number] ??= targetOf(queue);
  };
  // What a caller says of a queue itself goes before what it is known as where others drop.
  const all = [...queues];
  for (const queue of all) add(queue);
  for (const queue of all) add(queue.evictTo);
  return JSON.stringify(targets);
}

function targetOf(queue: QueueRef): object {
  return {
    number: queue.number,
    name: queue.name,
    size_limit: finite(queue.maxSize),
    byte_limit: finite(queue.maxBytes),
    counts_waiting: queue.boundOn === 'waiting',
    drops_oldest: queue.overflow === 'drop-oldest',
    evict_to: queue.evictTo?.number ?? null,
    max_priority: queue.maxPriority,
    message_ttl: queue.messageTtl,
    deduplication_window: queue.deduplicationWindow,
    slots: queue.groupMaxInFlight,
  };
}
