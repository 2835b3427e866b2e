/**
 * Books transfers: `worker.ts URL`. It moves the money and acknowledges the message in the same
 * transaction, so whenever this process is killed, both have happened or neither.
 */
import { MessageQueueSystem } from 'wherry';
import { Bank, type TransferMessage } from './bank.ts';

const url = process.argv[2]!;
const bank = new Bank(url);
await using mq = await MessageQueueSystem.open({ storage: url });

await mq.createConsumer<TransferMessage>({
  id: 'clerk',
  queueName: 'transfers',
  concurrency: 4,
  // What it holds when it is killed is handed out again one by one.
  batchSize: 4,
  handler: (delivery) =>
    bank.transaction(async (tx) => {
      await bank.book(tx, delivery.payload.transfer);
      await delivery.acknowledge({ tx });
    }),
});

// Until it is killed, or told that there is nothing more to do.
await new Promise((resolve) => process.once('SIGTERM', resolve));
await mq.close();
await bank.close();
