import assert from 'node:assert/strict';
import type { AspectTests } from './aspect.ts';
import { newMessage, type StoredOutcome } from './fixture.ts';

const WINDOW_MS = 1_000;
const WINDOW = { deduplicationWindow: WINDOW_MS };

export const deduplicationTests: AspectTests = {
  "G12 within the window the second send answers with the first's id": async (t) => {
    const queue = await t.createQueue('window', WINDOW);
    const id = await t.send(queue, 'first', { deduplicationId: 'd' });
    t.clock.advance(WINDOW_MS - 1);
    const again = await t.publish([queue], newMessage('second', { deduplicationId: 'd' }));
    assert.deepEqual(again, { status: 'duplicate', id });
    assert.deepEqual(await t.takeTexts(queue), ['first']);
  },

  'G12 the window ends at its time, counted from the first send': async (t) => {
    const queue = await t.createQueue('window-end', WINDOW);
    await t.send(queue, 'first', { deduplicationId: 'd' });
    t.clock.advance(WINDOW_MS / 2);
    await t.publish([queue], newMessage('duplicate', { deduplicationId: 'd' }));
    t.clock.advance(WINDOW_MS / 2);
    await t.send(queue, 'second', { deduplicationId: 'd' });
    t.clock.advance(WINDOW_MS - 1);
    const third = await t.publish([queue], newMessage('third', { deduplicationId: 'd' }));
    assert.equal(third.status, 'duplicate', 'the second send began a window of its own');
    assert.deepEqual(await t.takeTexts(queue), ['first', 'second']);
  },

  'G12 a sweep does not forget too early': async (t) => {
    const queue = await t.createQueue('sweep', WINDOW);
    const id = await t.send(queue, 'first', { deduplicationId: 'd' });
    t.clock.advance(WINDOW_MS - 1);
    await t.sweep();
    const again = await t.publish([queue], newMessage('second', { deduplicationId: 'd' }));
    assert.deepEqual(again, { status: 'duplicate', id });
    t.clock.advance(1);
    await t.sweep();
    await t.send(queue, 'third', { deduplicationId: 'd' });
  },

  'G12 a message is remembered after it is gone, purged ones too': async (t) => {
    const queue = await t.createQueue('gone', WINDOW);
    const settled = await t.send(queue, 'settled', { deduplicationId: 'settled' });
    await t.settle(queue, await t.takeOne(queue));
    const purged = await t.send(queue, 'purged', { deduplicationId: 'purged' });
    await t.driver.purge(queue);
    for (const [deduplicationId, id] of Object.entries({ settled, purged })) {
      const again = await t.publish([queue], newMessage('again', { deduplicationId }));
      assert.deepEqual(again, { status: 'duplicate', id });
    }
  },

  'G12 without a window nothing is a duplicate': async (t) => {
    const queue = await t.createQueue('no-window');
    await t.sendAll(queue, ['a', 'b'], { deduplicationId: 'd' });
    assert.deepEqual(await t.takeTexts(queue), ['a', 'b']);
  },

  'G12 other ids, other queues and messages without an id are stored': async (t) => {
    const one = await t.createQueue('one', WINDOW);
    const two = await t.createQueue('two', WINDOW);
    await t.send(one, 'a', { deduplicationId: 'd' });
    await t.send(one, 'b', { deduplicationId: 'D' });
    await t.sendAll(one, ['c', 'd']);
    await t.send(two, 'e', { deduplicationId: 'd' });
    assert.equal((await t.states(one)).ready, 4);
    assert.equal((await t.states(two)).ready, 1);
  },

  'G12 duplicates within one batch are found': async (t) => {
    for (const atomic of t.driver.supports.atomicBatch === true ? [false, true] : [false]) {
      const queue = await t.createQueue(`batch-${atomic}`, WINDOW);
      const items = ['first', 'second'].map((text) => ({
        targets: [queue],
        message: newMessage(text, { deduplicationId: 'd' }),
      }));
      const outcomes = await t.driver.publish(items, { atomic });
      const [first, second] = outcomes as StoredOutcome[];
      assert.equal(first?.status, 'stored');
      assert.deepEqual(second, { status: 'duplicate', id: first.id });
      assert.deepEqual(await t.takeTexts(queue), ['first']);
    }
  },

  'G12 a refused send leaves no record': async (t) => {
    const queue = await t.createQueue('refused', { ...WINDOW, maxSize: 1 });
    await t.send(queue, 'fills it');
    const message = newMessage('refused', { deduplicationId: 'd' });
    assert.equal((await t.publish([queue], message)).status, 'full');
    await t.settle(queue, await t.takeOne(queue));
    assert.equal((await t.publish([queue], message)).status, 'stored');
  },

  'G12 a duplicate is answered as such by a full queue': async (t) => {
    const queue = await t.createQueue('full', { ...WINDOW, maxSize: 1 });
    const id = await t.send(queue, 'a', { deduplicationId: 'd' });
    const again = await t.publish([queue], newMessage('a', { deduplicationId: 'd' }));
    assert.deepEqual(again, { status: 'duplicate', id });
  },

  'G12 a fan-out is deduplicated in each queue': async (t) => {
    const one = await t.createQueue('one', WINDOW);
    const two = await t.createQueue('two', WINDOW);
    const known = await t.send(one, 'a', { deduplicationId: 'd' });
    const message = newMessage('b', { deduplicationId: 'd' });
    const partly = (await t.publish([one, two], message)) as StoredOutcome;
    assert.equal(partly.status, 'stored');
    assert.equal(partly.id, known);
    assert.equal(partly.ids?.[0], known);
    const wholly = await t.publish([one, two], message);
    assert.deepEqual(wholly, { status: 'duplicate', id: known, ids: partly.ids });
    assert.deepEqual(await t.takeTexts(one), ['a']);
    assert.deepEqual(await t.takeTexts(two), ['b']);
  },

  'G12 a queue that is made again remembers nothing': async (t) => {
    const first = await t.createQueue('again', WINDOW);
    await t.send(first, 'a', { deduplicationId: 'd' });
    await t.deleteQueue(first);
    const second = await t.createQueue('again', WINDOW);
    await t.send(second, 'b', { deduplicationId: 'd' });
    assert.deepEqual(await t.takeTexts(second), ['b']);
  },

  'G12 a message may have a window of its own: longer, shorter or none': async (t) => {
    const queue = await t.createQueue('own-window', WINDOW);
    const send = async (deduplicationId: string, deduplicationWindow?: number): Promise<string> => {
      const message = newMessage('m', { deduplicationId, deduplicationWindow });
      return (await t.publish([queue], message)).status;
    };
    for (const window of [WINDOW_MS * 2, WINDOW_MS / 2, 0]) {
      assert.equal(await send(`own ${window}`, window), 'stored');
    }
    t.clock.advance(WINDOW_MS / 2 - 1);
    await t.sweep();
    assert.equal(await send('own 0'), 'stored', 'nothing was remembered');
    assert.equal(await send('own 500'), 'duplicate');
    assert.equal(await send('own 500', 0), 'stored', 'it asks not to be compared');
    t.clock.advance(1);
    await t.sweep();
    assert.equal(await send('own 500'), 'stored');
    t.clock.advance(WINDOW_MS * 1.5 - 1);
    await t.sweep();
    assert.equal(await send('own 2000'), 'duplicate');
    assert.equal(await send('own 2000', 1), 'duplicate', 'the window began with the first');
    t.clock.advance(1);
    assert.equal(await send('own 2000'), 'stored');
  },

  'G12 a message may have a window where its queue has none': async (t) => {
    const queue = await t.createQueue('only-own-window');
    const fields = { deduplicationId: 'd', deduplicationWindow: 100 };
    const id = await t.send(queue, 'first', fields);
    const again = await t.publish([queue], newMessage('again', fields));
    assert.deepEqual(again, { status: 'duplicate', id });
    await t.send(queue, 'without', { deduplicationId: 'd' });
    t.clock.advance(100);
    await t.send(queue, 'second', fields);
  },

  'G12 deduplication ids may hold anything': async (t) => {
    const queue = await t.createQueue('ids', WINDOW);
    const ids = [
      'a',
      'A',
      'a b',
      'a/b:c',
      'ü',
      '🚣',
      'x'.repeat(255),
      'ÿ'.repeat(127),
      '__proto__',
    ];
    for (const deduplicationId of ids) await t.send(queue, 'first', { deduplicationId });
    for (const deduplicationId of ids) {
      const again = await t.publish([queue], newMessage('again', { deduplicationId }));
      assert.equal(again.status, 'duplicate', JSON.stringify(deduplicationId));
    }
  },
};
