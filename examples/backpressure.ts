/**
 * A queue with a bound. A send to a full one is refused (`overflow: 'reject'`, the default), waits
 * for room ('block'), or puts out the oldest message ('drop-oldest').
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageQueueSystem, QueueFullError } from 'wherry';
import { temporaryFolder } from './temporary-folder.ts';
import { untilEmpty } from './until-empty.ts';

await using folder = await temporaryFolder();
await using mq = await MessageQueueSystem.open({ storage: folder.path });

await mq.createQueue({ name: 'rejecting', maxSize: 3 });
for (const n of [1, 2, 3, 4]) {
  try {
    await mq.sendMessage('rejecting', { payload: n });
    console.log(`rejecting: ${n} stored`);
  } catch (error) {
    if (!(error instanceof QueueFullError)) throw error;
    console.log(`rejecting: ${n} refused: ${error.message}`);
  }
}

await mq.createQueue({ name: 'dropping', maxSize: 3, overflow: 'drop-oldest' });
for (const n of [1, 2, 3, 4]) await mq.sendMessage('dropping', { payload: n });
const { messages } = await mq.browse('dropping');
console.log(`dropping: holds ${messages.map(({ message }) => message.payload).join(', ')}`);

await mq.createQueue({ name: 'blocking', maxSize: 3, overflow: 'block' });
await mq.createConsumer<number>({
  id: 'slow-worker',
  queueName: 'blocking',
  batchSize: 1,
  handler: () => sleep(20),
});
const start = Date.now();
let most = 0;
for (let n = 1; n <= 20; n++) {
  await mq.sendMessage('blocking', { payload: n }, { blockTimeout: '10s' });
  most = Math.max(most, (await mq.getQueueInfo('blocking')).messageCount);
}
console.log(`blocking: 20 sends took ${Date.now() - start} ms; never more than ${most} stored`);
await untilEmpty(mq, 'blocking');
