/**
 * Messages with one `groupId` are handled one after the other and in order, even when one fails and
 * is tried again. Different groups go on side by side.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageQueueSystem } from 'wherry';
import { temporaryFolder } from './temporary-folder.ts';
import { untilEmpty } from './until-empty.ts';

await using folder = await temporaryFolder();
await using mq = await MessageQueueSystem.open({ storage: folder.path });
const payments = await mq.createQueue<number>({ name: 'payments', backoff: '100ms' });

for (const step of [1, 2, 3]) {
  for (const account of ['ada', 'grace', 'edsger']) {
    await mq.sendMessage(payments, { payload: step, groupId: account });
  }
}

const done = new Map<string, number[]>();
let running = 0;
let mostRunning = 0;
await mq.createConsumer({
  id: 'bank',
  queueName: payments,
  concurrency: 8,
  handler: async ({ payload: step, message, retryCount }) => {
    const account = message.groupId!;
    mostRunning = Math.max(mostRunning, ++running);
    try {
      await sleep(30);
      if (account === 'grace' && step === 1 && retryCount === 0) throw new Error('bank is busy');
      done.set(account, [...(done.get(account) ?? []), step]);
      console.log(`${account}: payment ${step}`);
    } finally {
      running--;
    }
  },
});
await untilEmpty(mq, 'payments');

for (const [account, steps] of done) console.log(`${account} in order: ${steps.join(', ')}`);
console.log(`at most ${mostRunning} at once, one for each account`);
