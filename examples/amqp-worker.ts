/**
 * A program written for RabbitMQ, as it is: it publishes jobs with confirms, two workers take them one
 * at a time, and what fails three times goes through a dead-letter exchange. Only the URL is Wherry's.
 */
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { serve } from 'wherry-server';
import { temporaryFolder } from './temporary-folder.ts';

await using folder = await temporaryFolder();
// Elsewhere this is `wherry serve`.
await using broker = await serve({
  store: folder.path,
  port: 0,
  amqp: { port: 0 },
  log: { level: 'silent' },
});
const url = `amqp://127.0.0.1:${broker.amqpPort}`;

const connection = await connect(url);
const channel = await connection.createConfirmChannel();
await channel.assertExchange('dead', 'fanout');
await channel.assertQueue('failed');
await channel.bindQueue('failed', 'dead', '');
await channel.assertQueue('jobs', {
  deadLetterExchange: 'dead',
  arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 2 },
});

const jobs = Array.from({ length: 6 }, (_, i) => `job ${i + 1}`);
for (const job of jobs) channel.sendToQueue('jobs', Buffer.from(job), { persistent: true });
await channel.waitForConfirms();
console.log(`${jobs.length} jobs are stored`);

let left = jobs.length;
let allEnded = (): void => {};
const ended = new Promise<void>((resolve) => (allEnded = resolve));

async function startWorker(name: string): Promise<{ own: ChannelModel; work: Channel }> {
  const own = await connect(url);
  const work = await own.createChannel();
  await work.prefetch(1);
  await work.consume('jobs', (message) => {
    const job = message!.content.toString();
    if (job === 'job 4') {
      console.log(`${name}: ${job} fails`);
      work.nack(message!);
      return;
    }
    console.log(`${name}: ${job} is done`);
    work.ack(message!);
    if (--left === 0) allEnded();
  });
  return { own, work };
}
const workers = [await startWorker('ada'), await startWorker('grace')];

await channel.consume('failed', (message) => {
  const [death] = message!.properties.headers?.['x-death'] ?? [];
  console.log(`dead: ${message!.content.toString()} of '${death?.queue}' (${death?.reason})`);
  channel.ack(message!);
  if (--left === 0) allEnded();
});
await ended;
// What was acknowledged last is on its way: a channel's end waits for it, a connection's does not.
for (const { own, work } of [...workers, { own: connection, work: channel }]) {
  await work.close();
  await own.close();
}
