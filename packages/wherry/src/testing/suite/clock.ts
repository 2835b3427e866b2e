import assert from 'node:assert/strict';
import type { AspectTests } from './aspect.ts';

export const clockTests: AspectTests = {
  'G14 the store tells the time by which it goes': async (t) => {
    const queue = await t.createQueue('queue');
    const now = await t.driver.now();
    const sent = await t.get(await t.send(queue, 'delayed', { delay: 100 }));
    assert.equal(sent.timestamp, now);
    assert.equal(sent.availableAt, now + 100);
    t.clock.advance(99);
    assert.equal(await t.driver.now(), now + 99);
    assert.deepEqual(await t.take(queue), []);
    t.clock.advance(1);
    const { lease } = await t.takeOne(queue, { leaseDuration: 50 });
    assert.equal(lease.until, (await t.driver.now()) + 50);
  },
};
