/**
 * Messages for later: `delay` counts from now, `deliverAt` names the moment. They wait on disk, not
 * in a timer, so that they come on time after a restart too.
 */
import { MessageQueueSystem } from 'wherry';
import { temporaryFolder } from './temporary-folder.ts';
import { untilEmpty } from './until-empty.ts';

await using folder = await temporaryFolder();
await using mq = await MessageQueueSystem.open({ storage: folder.path });
const reminders = await mq.createQueue<string>({ name: 'reminders' });

const start = Date.now();
await mq.sendMessage(reminders, { payload: 'in 600 ms', delay: 600 });
await mq.sendMessage(reminders, { payload: 'at a given time', deliverAt: new Date(start + 300) });
await mq.sendMessage(reminders, { payload: 'now' });

const { ready, scheduled } = await mq.getQueueInfo(reminders);
console.log(`${ready} ready, ${scheduled} scheduled`);

await mq.createConsumer({
  id: 'reminder',
  queueName: reminders,
  handler: ({ payload, availableAt }) => {
    const late = Date.now() - availableAt;
    console.log(`after ${Date.now() - start} ms: "${payload}" (${late} ms after it was due)`);
  },
});
await untilEmpty(mq, 'reminders');
