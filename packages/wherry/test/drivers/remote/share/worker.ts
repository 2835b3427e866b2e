/**
 * One of the processes that share a folder: it sends numbered messages without end and handles
 * whatever comes, and writes down what it knows to be true, so that a kill loses nothing of it.
 *
 *     node --import tsx worker.ts FOLDER JOURNAL NAME
 *
 * Told 'stop' on its input, it sends no more; told 'end', it closes.
 */
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { MessageQueueSystem } from '../../../../src/index.ts';

const QUEUE = 'work';
const SENDS_AT_ONCE = 16;
const HANDLING_MS = 5;

const [folder, journal, name] = process.argv.slice(2) as [string, string, string];

/** A line that is there even if this process is killed next. */
function note(...words: (string | number)[]): void {
  appendFileSync(journal, `${words.join(' ')}\n`);
}

const mq = await MessageQueueSystem.open({
  storage: folder,
  share: true,
  queues: [{ name: QUEUE, maxRetries: 1_000, backoff: { type: 'fixed', delay: 10 } }],
});
// A settlement that nobody knows of, when the owner was killed: the message comes again.
mq.events.on('consumerError', () => undefined);
note('open', name, mq.storage.supports.managed === true ? 'client' : 'owner');

await mq.createConsumer<string>({
  id: name,
  queueName: QUEUE,
  concurrency: 8,
  leaseDuration: '4s',
  handler: async ({ id, message }) => {
    note('begin', name, message.payload, id, Date.now());
    await new Promise((resolve) => setTimeout(resolve, HANDLING_MS));
    note('end', name, message.payload, id, Date.now());
  },
});

let sent = 0;
const stopping = new AbortController();

async function send(): Promise<void> {
  while (!stopping.signal.aborted) {
    sent += 1;
    const payload = `${name}/${sent}`;
    try {
      await mq.sendMessage(QUEUE, { payload });
      note('sent', payload);
    } catch (error) {
      note('failed', payload, String((error as { code?: unknown }).code));
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const senders = Array.from({ length: SENDS_AT_ONCE }, send);

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'stop') {
    stopping.abort();
    await Promise.all(senders);
    console.log('stopped');
  } else if (line === 'count') {
    console.log((await mq.getQueueInfo(QUEUE)).messageCount);
  } else break;
}
await mq.close();
process.stdin.destroy();
