/**
 * The least there is: a queue in a folder, something that sends, something that works.
 * When `sendMessage` has resolved, the message is on disk; when its handler has ended, it is done.
 */
import { MessageQueueSystem } from 'wherry';
import { temporaryFolder } from './temporary-folder.ts';
import { untilEmpty } from './until-empty.ts';

await using folder = await temporaryFolder();
await using mq = await MessageQueueSystem.open({ storage: folder.path });

const emails = await mq.createQueue<{ to: string; subject: string }>({ name: 'emails' });

for (const name of ['ada', 'grace', 'edsger']) {
  const id = await mq.sendMessage(emails, {
    payload: { to: `${name}@example.com`, subject: `Hello ${name}` },
  });
  console.log(`sent ${id}`);
}

await mq.createConsumer({
  id: 'mailer',
  queueName: emails,
  handler: ({ payload }) => console.log(`mailing "${payload.subject}" to ${payload.to}`),
});

await untilEmpty(mq, 'emails');
const { counters } = await mq.getQueueInfo(emails);
console.log(`${counters.acknowledged} of ${counters.enqueued} messages handled`);
