/**
 * A request is a message, and what its handler returns is the reply. A request that fails for good
 * is told at once, one that nobody answers after its time.
 */
import { MessageQueueSystem, RejectError, RequestFailedError, TimeoutError } from 'wherry';
import { temporaryFolder } from './temporary-folder.ts';
import { untilEmpty } from './until-empty.ts';

await using folder = await temporaryFolder();
await using mq = await MessageQueueSystem.open({ storage: folder.path });
const prices = await mq.createQueue<string>({ name: 'prices' });
const cents = new Map([
  ['apple', 40],
  ['pear', 55],
]);

const shop = await mq.createConsumer({
  id: 'shop',
  queueName: prices,
  concurrency: 4,
  handler: async ({ payload: fruit }) => {
    const price = cents.get(fruit);
    if (price === undefined) throw new RejectError(`no ${fruit} today`);
    return price;
  },
});

// Requests that are outstanding together share one queue for their replies.
const asked = ['apple', 'pear'].map((payload) => mq.request<number>(prices, { payload }));
console.log(`apple and pear: ${(await Promise.all(asked)).join(' and ')} cents`);

const failed = await mq.request(prices, { payload: 'mango' }).catch((error: unknown) => error);
if (failed instanceof RequestFailedError) console.log(failed.message);

await shop.stop();
const late = mq.request(prices, { payload: 'apple' }, { timeout: '200ms' });
const silence = await late.catch((error: unknown) => error);
if (silence instanceof TimeoutError) console.log(silence.message);
// It had the timeout as its time to live, from when it was stored: nobody begins with it later.
await untilEmpty(mq, 'prices');
console.log('still there:', await mq.receiveMessage(prices, 'too-late'));
