/**
 * A queue as a loop, ended by `break` or by a signal. Each delivery is settled by the loop's body;
 * what was taken ahead goes back to the queue when the loop is left.
 */
import { MessageQueueSystem } from 'wherry';
import { temporaryFolder } from './temporary-folder.ts';

await using folder = await temporaryFolder();
await using mq = await MessageQueueSystem.open({ storage: folder.path });
const pages = await mq.createQueue<string>({ name: 'pages', backoff: '20ms' });
const paths = ['/', '/docs', '/blog', '/about', '/team', '/jobs'];
await mq.sendBatch(
  pages,
  paths.map((payload) => ({ payload })),
);

let fetched = 0;
for await (const delivery of mq.consume(pages)) {
  if (delivery.payload === '/blog') {
    console.log('/blog does not answer: again in a moment');
    await delivery.reject('no answer');
    continue;
  }
  console.log(`fetched ${delivery.payload}`);
  await delivery.acknowledge();
  if (++fetched === 4) break;
}
const { leased, messageCount } = await mq.getQueueInfo(pages);
console.log(`left in the queue: ${messageCount}, still held: ${leased}`);

const stop = new AbortController();
for await (const delivery of mq.consume(pages, { signal: stop.signal })) {
  console.log(`fetched ${delivery.payload} (retries: ${delivery.retryCount})`);
  await delivery.acknowledge();
  if (++fetched === paths.length) stop.abort();
}
console.log('all fetched');
