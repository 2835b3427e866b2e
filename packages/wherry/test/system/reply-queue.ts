import type { MessageQueueSystem } from '../../src/index.ts';

/** The queue of a system's replies, if there is one. */
export function replyQueue(mq: MessageQueueSystem): string | undefined {
  return mq.listQueues().find(({ name }) => name.startsWith('replies-'))?.name;
}
