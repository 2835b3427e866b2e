/**
 * Many messages at once: `sendBatch` answers for each message, so one that is refused does not fail
 * the others; with `atomic: true` it is all or none. A batch handler gets up to `batchSize`.
 */
import { MessageQueueSystem } from 'wherry';
import { temporaryFolder } from './temporary-folder.ts';
import { untilEmpty } from './until-empty.ts';

await using folder = await temporaryFolder();
await using mq = await MessageQueueSystem.open({ storage: folder.path });
const readings = await mq.createQueue({ name: 'readings', maxSize: 300 });

const payloads: unknown[] = Array.from({ length: 250 }, (_, n) => ({ sensor: n % 5, value: n }));
payloads[7] = { sensor: 2, value: 7n };
const results = await mq.sendBatch(
  readings,
  payloads.map((payload) => ({ payload })),
);
console.log(`stored ${results.filter((result) => result.ok).length} of ${results.length}`);
results.forEach((result, n) => {
  if (!result.ok) console.log(`message ${n} was refused: ${result.error.code}`);
});

const tooMany = Array.from({ length: 60 }, (_, n) => ({ payload: { sensor: 0, value: n } }));
const allOrNone = await mq.sendBatch(readings, tooMany, { atomic: true });
console.log(
  `atomic: stored ${allOrNone.filter((result) => result.ok).length} of ${allOrNone.length}, ` +
    'because there is room for 51',
);

await mq.createConsumer({
  id: 'database-writer',
  queueName: readings,
  batchSize: 100,
  batchHandler: (deliveries) => console.log(`inserting ${deliveries.length} rows at once`),
});
await untilEmpty(mq, 'readings');
