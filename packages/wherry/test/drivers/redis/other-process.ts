/** A process of its own on a store: it does what the lines of its input say, and answers each. */
import { createInterface } from 'node:readline';
import type { QueueRef } from '../../../src/core/driver.ts';
import { openDriver, receipts, send, take } from './fixture.ts';

const [url, prefix] = process.argv.slice(2);
const driver = await openDriver({ url: url!, prefix: prefix! });
const lines = createInterface({ input: process.stdin });
process.stdout.write('open\n');
for await (const line of lines) {
  const { act, queue, count } = JSON.parse(line) as {
    act: 'send' | 'settle';
    queue: QueueRef;
    count: number;
  };
  // Infinity is null in JSON.
  const whole: QueueRef = {
    ...queue,
    maxSize: queue.maxSize ?? Infinity,
    maxBytes: Infinity,
    maxInFlight: Infinity,
  };
  if (act === 'send') for (let i = 0; i < count; i += 1) await send(driver, [whole], `m${i}`);
  else await driver.settle(receipts(whole, await take(driver, whole, count)));
  process.stdout.write('done\n');
}
await driver.close();
