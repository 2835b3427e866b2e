import assert from 'node:assert/strict';
import type { QueueRef } from '../../core/driver.ts';
import type { AspectTests } from './aspect.ts';
import { type Fixture, LEASE_MS } from './fixture.ts';

/** Sends these, lets their holder die, and releases them as core does. */
async function makeSuspects(t: Fixture, queue: QueueRef, texts: readonly string[]): Promise<void> {
  const ids = await t.sendAll(queue, texts);
  const taken = await t.take(queue, { ids });
  assert.equal(taken.length, texts.length);
  t.clock.advance(LEASE_MS);
  for (const swept of await t.sweep()) await t.release(queue, swept, { suspect: true });
}

export const suspectTests: AspectTests = {
  'G6 suspects are handed out alone': async (t) => {
    const queue = await t.createQueue('alone');
    await makeSuspects(t, queue, ['s1', 's2']);
    await t.send(queue, 'innocent');
    assert.deepEqual(await t.takeTexts(queue), ['s1']);
  },

  'G6 a suspect waits while another is held, and others pass it': async (t) => {
    const queue = await t.createQueue('others-pass');
    await makeSuspects(t, queue, ['s1', 's2']);
    await t.sendAll(queue, ['a', 'b']);
    const first = await t.takeOne(queue);
    assert.equal(first.body, 's1');
    assert.deepEqual(await t.takeTexts(queue), ['a', 'b']);
    assert.deepEqual(await t.take(queue), []);
    await t.settle(queue, first);
    assert.deepEqual(await t.takeTexts(queue), ['s2']);
  },

  'G6 a batch ends before a suspect, so that order is kept': async (t) => {
    const queue = await t.createQueue('order');
    const [id] = await t.sendAll(queue, ['a', 's', 'b']).then((ids) => [ids[1]!]);
    await t.take(queue, { ids: [id!] });
    t.clock.advance(LEASE_MS);
    for (const swept of await t.sweep()) await t.release(queue, swept, { suspect: true });
    assert.deepEqual(await t.takeTexts(queue), ['a']);
    const suspect = await t.takeOne(queue);
    assert.equal(suspect.body, 's');
    await t.settle(queue, suspect);
    assert.deepEqual(await t.takeTexts(queue), ['b']);
  },

  'G6 a suspect that its holder gave back is none any more': async (t) => {
    const queue = await t.createQueue('cleared');
    await makeSuspects(t, queue, ['s1', 's2']);
    await t.release(queue, await t.takeOne(queue), { as: 'retry' });
    await t.send(queue, 'a');
    assert.deepEqual(await t.takeTexts(queue), ['s1']);
    assert.deepEqual(await t.takeTexts(queue), ['s2']);
    assert.deepEqual(await t.takeTexts(queue), ['a']);
  },

  'G6 a suspect that was not begun stays one': async (t) => {
    const queue = await t.createQueue('not-begun');
    await makeSuspects(t, queue, ['s1']);
    await t.send(queue, 'a');
    await t.release(queue, await t.takeOne(queue), { as: 'unstarted' });
    assert.deepEqual(await t.takeTexts(queue), ['s1']);
  },

  'G6 suspects of one queue do not hold up another': async (t) => {
    const one = await t.createQueue('one');
    const two = await t.createQueue('two');
    await makeSuspects(t, one, ['s1']);
    await makeSuspects(t, two, ['s2']);
    assert.deepEqual(await t.takeTexts(one), ['s1']);
    assert.deepEqual(await t.takeTexts(two), ['s2']);
  },
};
