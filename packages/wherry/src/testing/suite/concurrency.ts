import assert from 'node:assert/strict';
import type { AspectTests } from './aspect.ts';
import { newMessage, nextTurn, receiptOf, textsOf } from './fixture.ts';

export const concurrencyTests: AspectTests = {
  'G3 takers at the same time share the messages out': async (t) => {
    const queue = await t.createQueue('takers');
    const texts = Array.from({ length: 200 }, (_, index) => String(index));
    await t.sendAll(queue, texts);
    const takers = Array.from({ length: 50 }, (_, index) =>
      t.take(queue, { max: 1 + (index % 7), consumerId: `taker ${index}` }),
    );
    const taken = textsOf((await Promise.all(takers)).flat());
    assert.equal(new Set(taken).size, taken.length, 'none twice');
    const rest = await t.takeTexts(queue, { max: 1_000 });
    assert.deepEqual([...taken, ...rest].toSorted(), texts.toSorted());
  },

  'G8 the bound holds under senders at the same time': async (t) => {
    const queue = await t.createQueue('senders', { maxSize: 10 });
    const sends = Array.from({ length: 60 }, (_, index) =>
      t.publish([queue], newMessage(String(index))),
    );
    const outcomes = await Promise.all(sends);
    assert.equal(outcomes.filter(({ status }) => status === 'stored').length, 10);
    assert.equal((await t.states(queue)).ready, 10);
  },

  'G8 drop-oldest keeps the newest under senders at the same time': async (t) => {
    const queue = await t.createQueue('droppers', { maxSize: 5, overflow: 'drop-oldest' });
    const sends = Array.from({ length: 40 }, (_, index) => t.send(queue, String(index)));
    await Promise.all(sends);
    assert.equal((await t.takeTexts(queue)).length, 5);
  },

  'G12 of the same message sent at the same time one is stored': async (t) => {
    const queue = await t.createQueue('same', { deduplicationWindow: 1_000 });
    const message = newMessage('m', { deduplicationId: 'd' });
    const sends = Array.from({ length: 30 }, () => t.publish([queue], message));
    const outcomes = await Promise.all(sends);
    assert.equal(outcomes.filter(({ status }) => status === 'stored').length, 1);
    assert.equal(outcomes.filter(({ status }) => status === 'duplicate').length, 29);
    assert.equal((await t.states(queue)).ready, 1);
  },

  'G4 of two who settle or release the same lease one succeeds': async (t) => {
    const queue = await t.createQueue('rivals');
    await t.sendAll(queue, Array.from({ length: 20 }, String));
    for (const [turn, leased] of (await t.take(queue)).entries()) {
      const receipt = receiptOf(queue, leased);
      const settle = () => t.driver.settle([receipt]);
      const release = () => t.driver.release([{ receipt, delay: 0, as: 'retry' }]);
      // Whoever is called first wins most of the time: each way is to win some.
      const rivals = turn % 2 === 0 ? [settle, release, settle] : [release, settle, release];
      const answers = await Promise.all(rivals.map((rival) => rival()));
      const winners = answers.filter((lost) => lost.length === 0);
      assert.equal(winners.length, 1);
    }
  },

  'G7 G10 many hands leave nothing lost and nothing twice': async (t) => {
    const source = await t.createQueue('source');
    const dead = await t.createQueue('dead');
    const worker = async (index: number): Promise<void> => {
      for (let round = 0; round < 5; round += 1) {
        await t.sendAll(source, [`${index}/${round}/a`, `${index}/${round}/b`]);
        const batch = await t.take(source, { max: 2, consumerId: `worker ${index}` });
        for (const [position, leased] of batch.entries()) {
          const receipt = receiptOf(source, leased);
          if (position === 0) await t.driver.move([{ receipt, targets: [dead] }]);
          else await t.driver.release([{ receipt, delay: 0, as: 'retry' }]);
        }
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, index) => worker(index)));
    const left = await t.takeTexts(source, { max: 1_000 });
    const moved = await t.takeTexts(dead, { max: 1_000 });
    assert.equal(moved.length, 100);
    assert.equal(new Set([...left, ...moved]).size, 200);
    assert.equal(left.length, 100);
  },

  'G5 the order of sends begun one after the other is the order of leases': async (t) => {
    const queue = await t.createQueue('order');
    const texts = Array.from({ length: 60 }, (_, index) => String(index));
    const sending = new AbortController();
    const sender = async (): Promise<void> => {
      try {
        for (const text of texts) await t.send(queue, text);
      } finally {
        sending.abort();
      }
    };
    const taken: string[] = [];
    const taker = async (): Promise<void> => {
      while (!sending.signal.aborted) {
        taken.push(...(await t.takeTexts(queue, { max: 3 })));
        // An empty take may be answered from memory: without a turn the sender would starve.
        await nextTurn();
      }
    };
    await Promise.all([sender(), taker()]);
    taken.push(...(await t.takeTexts(queue)));
    assert.deepEqual(taken, texts);
  },
};
