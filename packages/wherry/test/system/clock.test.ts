import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { SystemClock } from '../../src/index.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';
import { eachStore } from './fixture.ts';

const HOUR = 3_600_000;

eachStore('G14 a wall clock that jumps moves nothing', async ({ open }) => {
  const mq = await open({ clock: new SystemClock() });
  await mq.createQueue({ name: 'q', leaseDuration: '30m' });
  await mq.sendMessage('q', { payload: 'held' });
  const delivery = await mq.receiveMessage('q', 'me');
  const present = Date.now();
  for (const jump of [-2 * HOUR, 2 * HOUR]) {
    const wall = mock.method(Date, 'now', () => present + jump);
    try {
      await mq.sendMessage('q', { payload: 'later', delay: '1h' });
      assert.equal(
        await mq.receiveMessage('q', 'you'),
        null,
        `the wall clock jumped by ${jump} ms`,
      );
      const { timestamp } = (await mq.browse('q', { state: 'scheduled' })).messages.at(-1)!;
      assert.ok(Math.abs(timestamp - present) < HOUR, `stored at ${timestamp}`);
    } finally {
      wall.mock.restore();
    }
  }
  await delivery!.acknowledge();
});

eachStore(
  'G14 time is never behind what is stored',
  async ({ open, clock }) => {
    const mq = await open();
    await mq.createQueue({ name: 'q' });
    await mq.sendMessage('q', { payload: 'soon', delay: '10m' });
    const before = await mq.sendMessage('q', { payload: 'before' });
    await mq.close();

    // Opened by a machine whose clock is an hour behind.
    const slow = new ManualClock(clock.now() - HOUR);
    const again = await open({ clock: slow });
    const after = await again.sendMessage('q', { payload: 'after' });
    const times = await Promise.all([before, after].map((id) => again.getMessage(id)));
    assert.ok(times[1]!.timestamp >= times[0]!.timestamp);
    // What was due in ten minutes is due in ten minutes, not in seventy.
    slow.advance(10 * 60_000);
    const taken = await again.receiveMessage('q', 'me', { max: 10 });
    assert.deepEqual(
      taken.map(({ payload }) => payload),
      ['soon', 'before', 'after'],
    );
  },
  ['lmdb'],
);
