import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Delivery,
  LeaseLostError,
  MessageQueueSystem,
  type ReceiptResult,
  ValidationError,
} from '../../src/index.ts';
import { createMemoryDriver, ManualClock } from '../../src/testing/index.ts';
import { eachStore } from './fixture.ts';

const DONE: ReceiptResult = { ok: true };

eachStore('receipts settle a batch, answered one by one', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const receipts = await receive(mq, 5);
  const [first, second, ...others] = receipts;
  assert.deepEqual(await mq.receiptManager.acknowledge([first!, second!]), [DONE, DONE]);
  const again = await mq.receiptManager.acknowledge([others[0]!, first!, 'no receipt', others[1]!]);
  assert.deepEqual(codes(again), [null, 'LEASE_LOST', 'LEASE_LOST', null]);
  const info = await mq.getQueueInfo('q');
  assert.deepEqual([info.leased, info.messageCount], [1, 1]);
  assert.equal(info.counters.acknowledged, 4);
});

eachStore('G4 a late, a foreign or an invented receipt changes nothing', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q', leaseDuration: '1s' });
  await mq.createQueue({ name: 'other' });
  const [late] = await receive(mq, 1);
  await advance(1_001);
  const present = (await mq.receiveMessage('q', 'you'))!;
  const invented = Buffer.from(`1.7a.1.${present.id}`).toString('base64url');
  const wrong = [late!, invented, '', '%', Buffer.from('2.1.1.x').toString('base64url')];
  const { receiptManager } = mq;
  const refused = wrong.map(() => 'LEASE_LOST');
  assert.deepEqual(codes(await receiptManager.acknowledge(wrong)), refused);
  assert.deepEqual(codes(await receiptManager.extend(wrong, '1m')), refused);
  assert.deepEqual(codes(await receiptManager.giveBack(wrong)), refused);
  const rejections = wrong.map((receipt) => ({ receipt, deadLetter: true }));
  assert.deepEqual(codes(await receiptManager.reject(rejections)), refused);
  const foreign = { queue: 'other' };
  assert.deepEqual(codes(await receiptManager.acknowledge([present.receipt], foreign)), [
    'LEASE_LOST',
  ]);
  const stored = await mq.getMessage(present.id);
  assert.deepEqual([stored!.state, stored!.lease!.token], ['leased', present.lease.token]);
  assert.deepEqual(await receiptManager.acknowledge([present.receipt], { queue: 'q' }), [DONE]);
});

eachStore('a rejection is retried, delayed, given back or dead-lettered', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', backoff: 0, maxRetries: 2 });
  const [retried, delayed, requeued, dead, kept] = await receive(mq, 5);
  const results = await mq.receiptManager.reject([
    { receipt: retried!, reason: 'try again' },
    { receipt: delayed!, delay: '1h' },
    { receipt: requeued!, requeue: true },
    { receipt: dead!, deadLetter: true, reason: 'never' },
    { receipt: kept!.slice(1) },
  ]);
  assert.deepEqual(codes(results), [null, null, null, null, 'LEASE_LOST']);
  const { ready, scheduled, leased } = await mq.getQueueInfo('q');
  assert.deepEqual({ ready, scheduled, leased }, { ready: 2, scheduled: 1, leased: 1 });
  const { messages } = await mq.browse('q');
  assert.deepEqual(
    messages.map((message) => message.retryCount).toSorted((a, b) => a - b),
    [0, 1],
  );
  const { messages: letters } = await mq.deadLetterQueue.list();
  const deaths = letters.map((letter) => letter.deaths[0]);
  assert.deepEqual(
    deaths.map((death) => [death!.reason, death!.error]),
    [['rejected', 'never']],
  );
});

eachStore('what is given back unseen is not counted', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const receipts = await receive(mq, 3);
  assert.deepEqual(await mq.receiptManager.giveBack(receipts), [DONE, DONE, DONE]);
  const deliveries = await mq.receiveMessage('q', 'me', { max: 3 });
  assert.deepEqual(
    deliveries.map((delivery) => [delivery.payload, delivery.deliveryCount]),
    [0, 1, 2].map((payload) => [payload, 1]),
  );
});

eachStore('receipts extend leases', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', leaseDuration: '1s' });
  const receipts = await receive(mq, 2);
  assert.deepEqual(await mq.receiptManager.extend(receipts, '1m'), [DONE, DONE]);
  await advance(59_000);
  assert.deepEqual(await mq.receiptManager.acknowledge(receipts), [DONE, DONE]);
});

test('a batch of receipts is one call of the store', async () => {
  const clock = new ManualClock();
  const driver = createMemoryDriver({ clock });
  const settled: number[] = [];
  const extended: number[] = [];
  const counted = new Proxy(driver, {
    get(target, name) {
      if (name === 'settle' || name === 'extend') {
        const sizes = name === 'settle' ? settled : extended;
        return (items: never[]) => {
          sizes.push(items.length);
          return target[name](items);
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  await using mq = await MessageQueueSystem.open({ storage: counted, clock });
  await mq.createQueue({ name: 'q' });
  const receipts = await receive(mq, 200);
  await mq.receiptManager.extend(receipts, '1m');
  await mq.receiptManager.acknowledge(receipts);
  assert.deepEqual({ settled, extended }, { settled: [200], extended: [200] });
});

test('a wrong rejection is refused before anything is done', async () => {
  await using mq = await MessageQueueSystem.open({ limits: { batchSize: 10 } });
  await mq.createQueue({ name: 'q' });
  const [first, second] = await receive(mq, 2);
  const { receiptManager } = mq;
  const both = { receipt: second!, requeue: true, deadLetter: true };
  await assert.rejects(receiptManager.reject([{ receipt: first! }, both]), /items\[1\].*exclude/);
  const slip = { receipt: first!, resaon: 'x' } as never;
  await assert.rejects(receiptManager.reject([slip]), /no field 'resaon'/);
  await assert.rejects(
    receiptManager.reject([{ receipt: first!, delay: 'soon' }]),
    ValidationError,
  );
  const many = Array.from({ length: 11 }, () => first!);
  await assert.rejects(async () => receiptManager.acknowledge(many), /from 0 to 10/);
  assert.equal((await mq.getQueueInfo('q')).leased, 2);
});

async function receive(mq: MessageQueueSystem, count: number): Promise<string[]> {
  await mq.sendBatch(
    'q',
    Array.from({ length: count }, (_, payload) => ({ payload })),
  );
  const deliveries: Delivery[] = await mq.receiveMessage('q', 'me', { max: count });
  assert.equal(deliveries.length, count);
  return deliveries.map((delivery) => delivery.receipt);
}

function codes(results: readonly ReceiptResult[]): (string | null)[] {
  return results.map((result) => {
    if (!result.ok) assert.ok(result.error instanceof LeaseLostError);
    return result.ok ? null : result.error.code;
  });
}
