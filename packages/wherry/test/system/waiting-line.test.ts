import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageQueueSystem } from '../../src/index.ts';
import { createMemoryDriver, ManualClock } from '../../src/testing/index.ts';
import { eachStore } from './fixture.ts';

const MANY = 200;

/** A system whose looks are counted, with `MANY` that wait for a message. */
async function openWatched() {
  const clock = new ManualClock();
  const driver = createMemoryDriver({ clock });
  const take = driver.take.bind(driver);
  let looks = 0;
  driver.take = (request) => {
    looks++;
    return take(request);
  };
  const mq = await MessageQueueSystem.open({ storage: driver, clock });
  await mq.createQueue({ name: 'q' });
  const wait = (signal?: AbortSignal) =>
    mq.receiveMessage('q', 'me', { waitMs: '10m', ...(signal && { signal }) });
  const settled = (): Promise<void> => clock.advanceAsync(0);
  return { mq, clock, wait, settled, looksSince: (before: number) => looks - before };
}

test('of many who wait one looks; a message for one costs a few looks', async () => {
  const { mq, clock, wait, settled, looksSince } = await openWatched();
  let answered = 0;
  const waiting = Array.from({ length: MANY }, () =>
    wait().then((delivery) => {
      answered++;
      return delivery;
    }),
  );
  await settled();
  const before = looksSince(0);
  assert.equal(before, MANY);
  await clock.advanceAsync(60_000);
  assert.ok(looksSince(before) <= 13, `${looksSince(before)} looks in a minute`);
  const quiet = looksSince(0);
  await mq.sendMessage('q', { payload: 1 });
  await settled();
  assert.equal(answered, 1);
  assert.ok(looksSince(quiet) <= 5, `${looksSince(quiet)} looks for a message`);
  await mq.sendBatch(
    'q',
    Array.from({ length: MANY - 1 }, (_, payload) => ({ payload })),
  );
  await Promise.all(waiting);
  assert.equal(answered, MANY);
  await mq.close();
});

test('whoever looks may go: the next one does', async () => {
  const { mq, wait, settled } = await openWatched();
  const stops = Array.from({ length: 3 }, () => new AbortController());
  const gone = stops.map(({ signal }) => assert.rejects(wait(signal)));
  const last = wait();
  await settled();
  for (const stop of stops) {
    stop.abort();
    await settled();
  }
  await Promise.all(gone);
  await mq.sendMessage('q', { payload: 'still there' });
  assert.equal((await last)!.payload, 'still there');
  await mq.close();
});

test('who waits in vain is answered in time, wherever in line', async () => {
  const { mq, clock, wait, settled } = await openWatched();
  const waiting = [wait(), wait(), wait()];
  await settled();
  await clock.advanceAsync(600_001);
  assert.deepEqual(await Promise.all(waiting), [null, null, null]);
  const later = wait();
  await mq.sendMessage('q', { payload: 1 });
  assert.equal((await later)!.payload, 1);
  await mq.close();
});

eachStore('each of many who wait gets one message', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const waiting = Array.from({ length: 30 }, (_, i) =>
    mq.receiveMessage('q', `c${i}`, { waitMs: '1h' }),
  );
  await mq.sendBatch(
    'q',
    Array.from({ length: 20 }, (_, payload) => ({ payload })),
  );
  await mq.sendBatch(
    'q',
    Array.from({ length: 10 }, (_, i) => ({ payload: 20 + i })),
  );
  const payloads = (await Promise.all(waiting)).map((delivery) => delivery!.payload as number);
  assert.deepEqual(
    payloads.toSorted((a, b) => a - b),
    Array.from({ length: 30 }, (_, i) => i),
  );
});

test('closing ends the waiting of all', async () => {
  const { mq, wait, settled } = await openWatched();
  const waiting = [wait(), wait(), wait()].map((one) => assert.rejects(one, { code: 'CLOSED' }));
  await settled();
  await mq.close();
  await Promise.all(waiting);
});
