import assert from 'node:assert/strict';
import type { AspectTests } from './aspect.ts';
import { newMessage } from './fixture.ts';

export const lifecycleTests: AspectTests = {
  'the capabilities are true or say why not': async ({ driver }) => {
    assert.ok(driver.name.length > 0);
    const { durability, atomicFanOut, atomicBatch } = driver.supports;
    assert.ok(['none', 'process', 'power'].includes(durability));
    for (const flag of [atomicFanOut, atomicBatch]) {
      assert.ok(flag === true || flag.length > 0, 'a refusal needs a reason');
    }
  },

  'closing twice is closing once': async ({ driver }) => {
    await driver.close();
    await driver.close();
  },

  'G1 a closed driver confirms nothing': async (t) => {
    const queue = await t.createQueue('closed');
    await t.driver.close();
    const item = { targets: [queue], message: newMessage('too late') };
    await assert.rejects(() => t.driver.publish([item]));
    await assert.rejects(() => t.take(queue));
    t.forgetQueue(queue);
  },

  'empty batches change nothing and answer nothing': async (t) => {
    const queue = await t.createQueue('empty');
    assert.deepEqual(await t.driver.publish([]), []);
    assert.deepEqual(await t.driver.publish([], { atomic: true }), []);
    assert.deepEqual(await t.driver.settle([]), []);
    assert.deepEqual(await t.driver.release([]), []);
    assert.deepEqual(await t.driver.move([]), []);
    assert.deepEqual(await t.driver.extend([]), []);
    assert.deepEqual(await t.take(queue), []);
    assert.deepEqual(await t.take(queue, { ids: [] }), []);
    assert.equal(await t.driver.purge(queue), 0);
    assert.deepEqual(await t.driver.sweep(100), { messages: [], nextIn: null });
    assert.equal(await t.driver.get('0'.repeat(32)), null);
    assert.equal(await t.driver.get('no id at all'), null);
  },
};
