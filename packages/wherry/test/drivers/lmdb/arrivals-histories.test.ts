import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeasedMessage, NewMessage } from '../../../src/core/driver.ts';
import { newMessage, receiptOf } from './fixture.ts';
import { begun, expectSound, UNSTORABLE } from './taker.ts';

/** What happened to a message of a random history, by its body. */
interface Story {
  stored: boolean | null;
  deliveries: number;
  gone: boolean;
}

test('random histories lose nothing, give nothing twice, and keep the order', async (t) => {
  const seed = Number(process.env.ARRIVALS_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`ARRIVALS_SEED=${seed}`);
  const random = mulberry(seed);
  const below = (end: number): number => Math.floor(random() * end);
  for (let history = 0; history < 20; history++) {
    const { fixture, queue, taker } = await begun(t);
    const other = await fixture.createQueue('other');
    const { driver } = fixture;
    const stories = new Map<string, Story>();
    const held: LeasedMessage[] = [];
    const returned = new Set<string>();
    const settling: Promise<void>[] = [];
    let last = 0;
    let next = 1;
    const deliver = (messages: readonly LeasedMessage[]): void => {
      for (const message of messages) {
        const body = message.body as string;
        const story = stories.get(body)!;
        assert.ok(!story.gone, `${body} came after it was gone`);
        story.deliveries += 1;
        if (!returned.delete(body)) {
          assert.equal(story.deliveries, 1, `${body} came twice`);
          assert.ok(Number(body) > last, `${body} came after ${last}`);
          last = Number(body);
        }
        held.push(message);
      }
    };
    const came = taker.came;
    const collect = (): void => deliver(came.splice(0));
    const publish = async (): Promise<void> => {
      const fields: Partial<NewMessage>[] = Array.from({ length: 1 + below(4) }, () => ({
        body: String(next++),
        ...(below(6) === 0 && { ttl: 100_000 }),
      }));
      const targets = below(8) === 0 ? [queue, other] : [queue];
      const items = fields.map((message) => ({ targets, message: newMessage(message) }));
      for (const { body } of fields) {
        stories.set(body as string, { stored: null, deliveries: 0, gone: false });
      }
      const outcomes = await driver.publish(items, { atomic: below(6) === 0 });
      outcomes.forEach(({ status }, i) => {
        assert.equal(status, 'stored');
        stories.get(fields[i]!.body as string)!.stored = true;
      });
    };
    const settle = async (message: LeasedMessage): Promise<void> => {
      const story = stories.get(message.body as string)!;
      if (below(2) === 0 && taker.settle(message)) {
        story.gone = true;
        return;
      }
      assert.deepEqual(await driver.settle([receiptOf(queue, message)]), []);
      story.gone = true;
    };
    const giveBack = async (message: LeasedMessage): Promise<void> => {
      returned.add(message.body as string);
      const item = { receipt: receiptOf(queue, message), delay: 0, as: 'requeue' } as const;
      assert.deepEqual(await driver.release([item]), []);
    };
    for (let step = 0; step < 120; step++) {
      const kind = below(10);
      if (kind < 4) settling.push(publish());
      else if (kind < 6 && held.length > 0) {
        const [message] = held.splice(below(held.length), 1);
        settling.push(below(5) === 0 ? giveBack(message!) : settle(message!));
      } else if (kind === 6) taker.room = below(6);
      else if (kind === 7) {
        const wrong = fixture.publish(other, { body: 'x' }, UNSTORABLE);
        settling.push(assert.rejects(wrong, TypeError));
      } else if (kind === 8) await settling[below(settling.length)];
      else await Promise.resolve();
      collect();
    }
    await Promise.all(settling);
    collect();
    taker.room = 0;
    for (let left = 1; left > 0;) {
      const taken = await fixture.take(queue, { max: 7 });
      deliver(taken);
      left = taken.length;
    }
    await Promise.all(held.splice(0).map(settle));
    for (const [body, { stored, deliveries, gone }] of stories) {
      assert.deepEqual([body, stored, deliveries > 0, gone], [body, true, true, true]);
    }
    assert.equal(taker.open, 0);
    const { ready, leased, bytes } = await driver.counts(queue);
    assert.deepEqual([ready, leased, bytes], [0, 0, 0]);
    await expectSound(fixture);
  }
});

/** A small generator of random numbers from 0 to 1 that a seed repeats. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
