import { MessageQueueSystem, type MessageQueueConfig } from 'wherry';
import type { Figures } from '../harness/benchmark.ts';
import { rateOf } from './lanes.ts';
import { type Messages, consumeMessages, expectStored, sendMessages } from './messages.ts';
import { FIRST_NUMBER } from './payload.ts';

export interface QueueLoad {
  readonly storage: MessageQueueConfig['storage'];
  /** Of a payload's JSON. */
  readonly bytes: number;
  readonly messages: number;
  /** Sends with one outstanding: each waits for the disk, so fewer tell as much. */
  readonly loneSends: number;
  /** @see consumeMessages */
  readonly stalledAfter?: number;
}

export const OUTSTANDING = 1_000;
const QUEUE = 'bench';

/**
 * One process, one queue: sends, receives with acknowledgement, and both at once.
 * @returns lone sends, sends, consumed messages, and messages that went through, per second each
 * @throws InvalidRunError when a message did not come exactly once
 */
export async function measureQueue(load: QueueLoad): Promise<Figures> {
  const { storage, stalledAfter } = load;
  await using mq = await MessageQueueSystem.open({ storage, queues: [{ name: QUEUE }] });
  let first = FIRST_NUMBER;
  const take = (count: number): Messages => {
    first += count;
    return { queue: QUEUE, first: first - count, count, bytes: load.bytes };
  };

  // The first tenth is for the compiler.
  const warmUp = take(Math.ceil(load.messages / 10));
  await sendMessages(mq, warmUp, OUTSTANDING);
  await consumeMessages(mq, warmUp, stalledAfter);

  const lone = take(load.loneSends);
  const loneSend = await rateOf(lone.count, () => sendMessages(mq, lone, 1));
  await consumeMessages(mq, lone, stalledAfter);

  const batch = take(load.messages);
  const send = await rateOf(batch.count, () => sendMessages(mq, batch, OUTSTANDING));
  await expectStored(mq, QUEUE, batch.count);
  const consume = await rateOf(batch.count, () => consumeMessages(mq, batch, stalledAfter));

  const through = take(load.messages);
  const both = await rateOf(through.count, () =>
    Promise.all([
      sendMessages(mq, through, OUTSTANDING),
      consumeMessages(mq, through, stalledAfter),
    ]),
  );
  await expectStored(mq, QUEUE, 0);
  return { loneSend, send, consume, both };
}
