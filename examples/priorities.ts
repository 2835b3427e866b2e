/**
 * The higher priority first (0 to 255, default 0); among equals the one that was sent first. A
 * prefetched message is not overtaken any more, hence `batchSize: 1`.
 */
import { MessageQueueSystem } from 'wherry';
import { temporaryFolder } from './temporary-folder.ts';
import { untilEmpty } from './until-empty.ts';

await using folder = await temporaryFolder();
await using mq = await MessageQueueSystem.open({ storage: folder.path });
const tickets = await mq.createQueue<string>({ name: 'tickets' });

await mq.sendBatch(tickets, [
  { payload: 'typo on the front page' },
  { payload: 'invoice is wrong', priority: 5 },
  { payload: 'another typo' },
  { payload: 'the site is down', priority: 9 },
  { payload: 'another wrong invoice', priority: 5 },
]);

await mq.createConsumer({
  id: 'help-desk',
  queueName: tickets,
  batchSize: 1,
  handler: async ({ payload, priority }) => {
    console.log(`${priority}: ${payload}`);
    // What comes in later and matters more is still next.
    if (payload === 'the site is down') {
      await mq.sendMessage(tickets, { payload: 'the data is gone', priority: 255 });
    }
  },
});
await untilEmpty(mq, 'tickets');
