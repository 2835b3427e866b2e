import { type DeepQueue, fillQueue, openQueue, QUEUE } from './deep-queue.ts';
import { inLanes } from './lanes.ts';

/** What a queue holds beside the messages that are consumed. */
export interface Crowd {
  /** Messages that wait for tomorrow. */
  readonly scheduled: number;
  /** Groups whose first message somebody holds, and whose second waits for it. */
  readonly lockedGroups: number;
}

const BATCH = 1_000;
const LOCKER = 'locker';

/** Fills a queue with a crowd first, and then with messages to consume. */
export async function fillCrowdedQueue(
  queue: DeepQueue,
  waiting: number,
  { scheduled, lockedGroups }: Crowd,
  log: (line: string) => void = () => {},
): Promise<void> {
  {
    await using mq = await openQueue(queue);
    const sendMany = (count: number, messageOf: (index: number) => { payload: unknown }) =>
      inLanes(Math.ceil(count / BATCH), 4, async (batch) => {
        const length = Math.min(BATCH, count - batch * BATCH);
        const messages = Array.from({ length }, (_, n) => messageOf(batch * BATCH + n));
        const results = await mq.sendBatch(QUEUE, messages);
        for (const result of results) if (!result.ok) throw result.error;
      });
    await sendMany(scheduled, () => ({ payload: 'tomorrow', delay: '1d' }));
    for (const payload of ['held', 'waits']) {
      await sendMany(lockedGroups, (index) => ({ payload, groupId: `group-${index}` }));
    }
    for (let locked = 0; locked < lockedGroups;) {
      const held = await mq.receiveMessage(QUEUE, LOCKER, { max: BATCH, leaseDuration: '1d' });
      if (held.length === 0) throw new Error(`Only ${locked} groups could be locked.`);
      locked += held.length;
    }
    log(`${scheduled} scheduled, ${lockedGroups} groups locked`);
  }
  await fillQueue(queue, waiting, log, scheduled + 2 * lockedGroups);
}
