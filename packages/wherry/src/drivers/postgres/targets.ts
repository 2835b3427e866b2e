import type { QueueRef } from '../../core/driver.ts';
import { finite } from './numbers.ts';

/** @returns JSON of these queues and those to which they drop, for the type `wherry.target` */
export function targetsJson(queues: Iterable<QueueRef>): string {
  const targets: Record<number, object> = {};
  const add = (queue: QueueRef): void => {
    if (queue.number in targets) return;
    targets[queue.number] = targetOf(queue);
    if (queue.evictTo !== null) add(queue.evictTo);
  };
  for (const queue of queues) add(queue);
  return JSON.stringify(targets);
}

function targetOf(queue: QueueRef): object {
  return {
    number: queue.number,
    name: queue.name,
    size_limit: finite(queue.maxSize),
    byte_limit: finite(queue.maxBytes),
    drops_oldest: queue.overflow === 'drop-oldest',
    evict_to: queue.evictTo?.number ?? null,
    message_ttl: queue.messageTtl,
    deduplication_window: queue.deduplicationWindow,
    slots: queue.groupMaxInFlight,
  };
}
