import type { Driver, LeasedMessage, QueueRef, StoredMessage } from '../../core/driver.ts';
import type { AnswerOf, CallName, RequestOf } from './wire/calls.ts';

/** Of bodies and the like in one answer; a message that is larger comes alone. */
export const ANSWER_BYTES_MAX: number = 16 * 1024 * 1024;

/** Keeps an answer of many large messages to what can be sent at once. */
export async function withinLimit(
  driver: Driver,
  name: CallName,
  request: unknown,
  answer: unknown,
): Promise<unknown> {
  if (name === 'take') {
    const { queue } = request as RequestOf<'take'>;
    const { messages, retryIn } = answer as AnswerOf<'take'>;
    const count = countWithin(messages);
    if (count === messages.length) return answer;
    await giveBack(driver, queue, messages.slice(count));
    return { messages: messages.slice(0, count), retryIn };
  }
  if (name === 'browse') {
    const asked = request as RequestOf<'browse'>;
    const { messages } = answer as AnswerOf<'browse'>;
    const count = countWithin(messages);
    // The cursor is the page's end: a shorter page has another.
    if (count < messages.length) return driver.browse({ ...asked, limit: count });
  }
  return answer;
}

/** Messages that were taken and do not reach who took them. */
export async function giveBack(
  driver: Driver,
  queue: QueueRef,
  messages: readonly LeasedMessage[],
): Promise<void> {
  const items = messages.map(({ id, lease }) => {
    const receipt = { queue, id, token: lease.token };
    return { receipt, delay: 0, as: 'unstarted' } as const;
  });
  await driver.release(items);
}

/** @returns how many of the messages, one at least, are no more than the limit */
function countWithin(messages: readonly StoredMessage[]): number {
  let bytes = 0;
  for (const [i, message] of messages.entries()) {
    bytes += message.bytes;
    if (bytes > ANSWER_BYTES_MAX) return Math.max(1, i);
  }
  return messages.length;
}
