import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageQueueSystem } from 'wherry';

/** Waits until a queue holds nothing any more: no message waits, is scheduled or in a handler. */
export async function untilEmpty(mq: MessageQueueSystem, queueName: string): Promise<void> {
  while ((await mq.getQueueInfo(queueName)).messageCount > 0) await sleep(20);
}
