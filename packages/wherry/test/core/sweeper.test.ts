import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryDriver } from '../../src/drivers/memory/index.ts';
import { MessageQueueSystem } from '../../src/index.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';

test('what comes due while a sweep is under way is swept next', async () => {
  const clock = new ManualClock();
  const driver = createMemoryDriver({ clock });
  const sweep = driver.sweep.bind(driver);
  // A store that takes its time, as a disk does.
  let sweeps = 0;
  driver.sweep = async (max) => {
    sweeps++;
    const result = await sweep(max);
    await new Promise<void>((resolve) => {
      clock.setTimer(resolve, 30);
    });
    return result;
  };
  const opening = MessageQueueSystem.open({ storage: driver, clock });
  await clock.advanceAsync(40);
  const mq = await opening;
  await mq.createQueue({ name: 'q' });
  for (const ttl of [10, 15, 20, 25, 60]) await mq.sendMessage('q', { payload: ttl, ttl });
  await clock.advanceAsync(400);
  assert.equal((await mq.getQueueInfo('q')).messageCount, 0);
  const settledBy = sweeps;
  await mq.sendMessage('q', { payload: 'later', ttl: 50 });
  await clock.advanceAsync(200);
  assert.equal((await mq.getQueueInfo('q')).messageCount, 0);
  assert.ok(sweeps > settledBy);
  const closing = mq.close();
  await clock.advanceAsync(100);
  await closing;
});
