/**
 * What fails too often is not lost: it goes to the dead letters, with the reason. When the cause is
 * mended, a redrive sends it back to the queue that it came from.
 */
import { MessageQueueSystem } from 'wherry';
import { temporaryFolder } from './temporary-folder.ts';
import { untilEmpty } from './until-empty.ts';

await using folder = await temporaryFolder();
await using mq = await MessageQueueSystem.open({ storage: folder.path });
await mq.createQueue({ name: 'invoices', maxRetries: 2, backoff: '20ms' });

let printerWorks = false;
await mq.createConsumer<string>({
  id: 'printer',
  queueName: 'invoices',
  handler: ({ payload }) => {
    if (!printerWorks) throw new Error('out of paper');
    console.log(`printed ${payload}`);
  },
});

for (const number of [1, 2, 3]) await mq.sendMessage('invoices', { payload: `invoice ${number}` });
await untilEmpty(mq, 'invoices');

const { messages } = await mq.deadLetterQueue.list();
for (const { message, deaths } of messages) {
  const death = deaths.at(-1)!;
  console.log(
    `dead: ${String(message.payload)} of '${death.queue}' (${death.reason}: ${death.error})`,
  );
}

printerWorks = true;
const { moved, skipped } = await mq.deadLetterQueue.redrive({ max: 100, rate: 1_000 });
console.log(`redriven: ${moved}, skipped: ${skipped}`);
await untilEmpty(mq, 'invoices');
console.log(`dead letters left: ${(await mq.getQueueInfo('dead-letter')).messageCount}`);
