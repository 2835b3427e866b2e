/**
 * A process with a store of its own, told by its first argument what to do there.
 *
 *     hold PATH       opens the store and keeps it
 *     deliver PATH    is handed everything of queue 1, says so, and never answers
 *     fill PATH       sends until there is no room, then makes some; answers with what it saw
 */
import { createLmdbDriver } from '../../../src/drivers/lmdb/index.ts';
import { StorageError } from '../../../src/core/errors.ts';
import { unboundedQueue } from '../../../src/testing/suite/fixture.ts';
import { newMessage, receiptOf } from './fixture.ts';

const [what, path = ''] = process.argv.slice(2);
const clock = { now: () => Date.now(), setTimer: () => ({ cancel: () => undefined }) };
const driver = createLmdbDriver({ path, clock });
const queue = unboundedQueue('queue', 1);
const request = { queue, consumerId: 'child', leaseDuration: 60_000, bound: true, perGroup: 1 };

function say(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function stayAlive(): void {
  setInterval(() => undefined, 60_000);
}

async function fill(): Promise<void> {
  const items = Array.from({ length: 20 }, () => ({
    targets: [queue],
    message: newMessage({ body: 'x'.repeat(2_000) }),
  }));
  let stored = 0;
  let refusal: unknown = null;
  while (refusal === null) {
    try {
      stored += (await driver.publish(items)).length;
    } catch (error) {
      refusal = error;
    }
  }
  const { code, retriable } = refusal as StorageError;
  const { ready, bytes } = await driver.counts(queue);
  let settled = 0;
  // LMDB uses the room of what is gone from the next commit but one on.
  for (let round = 0; round < 4; round++) {
    const { messages: taken } = await driver.take({ ...request, max: 50 });
    const lost = await driver.settle(taken.map((message) => receiptOf(queue, message)));
    settled += taken.length - lost.length;
  }
  const again = await driver.publish(items);
  say({
    code,
    retriable,
    isStorageError: refusal instanceof StorageError,
    stored,
    ready,
    bytes,
    settled,
    again: again.length,
  });
}

await driver.open();
if (what === 'fill') {
  await fill();
  await driver.close();
} else {
  if (what === 'deliver') say((await driver.take({ ...request, max: 100 })).messages);
  else say('open');
  stayAlive();
}
