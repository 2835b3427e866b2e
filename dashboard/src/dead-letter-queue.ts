import type { QueueInfo } from './api/types.ts';

/** What the library calls the dead-letter queue of queues that name none. */
const OF_THE_SYSTEM = 'dead-letter';

/** Where a queue's dead letters go. */
export function deadLetterQueueOf({ settings }: QueueInfo): string {
  return settings.deadLetterQueue ?? OF_THE_SYSTEM;
}
