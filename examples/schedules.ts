/**
 * A schedule sends a message at each of its ticks: by the clock of a place, or at even intervals.
 * Every process may upsert it at its start: giving what is there changes nothing.
 */
import { once } from 'node:events';
import { MessageQueueSystem } from 'wherry';
import { temporaryFolder } from './temporary-folder.ts';

await using folder = await temporaryFolder();
await using mq = await MessageQueueSystem.open({
  storage: folder.path,
  queues: [{ name: 'jobs' }],
  schedules: [
    // Every night, once, also when the clocks change.
    {
      name: 'nightly report',
      cron: '30 2 * * *',
      timezone: 'Europe/Berlin',
      queue: 'jobs',
      message: { payload: { job: 'report' } },
      startAt: new Date('2040-10-26T12:00Z'),
    },
    { name: 'poll', every: '1s', queue: 'jobs', message: { payload: { job: 'poll' } }, limit: 2 },
  ],
});

for (const tick of await mq.nextTicks('nightly report', 3)) {
  console.log(`report at ${tick.toISOString()}`);
}

const ticks: number[] = [];
await mq.createConsumer<{ job: string }>({
  id: 'worker',
  queueName: 'jobs',
  handler: ({ payload, message: { headers } }) => {
    ticks.push(Date.parse(String(headers!['scheduled-at'])));
    console.log(`${payload.job}, sent by '${headers!['schedule']}'`);
  },
});
while (ticks.length < 2) await once(mq.events, 'acknowledged');
console.log(`${ticks[1]! - ticks[0]!} ms from tick to tick`);
await mq.removeSchedule('poll');
console.log(
  `left: ${mq
    .listSchedules()
    .map(({ name }) => name)
    .join(', ')}`,
);
