import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Delivery,
  LeaseLostError,
  MessageNotFoundError,
  MessageQueueSystem,
  StorageError,
} from '../../src/index.ts';
import { createMemoryDriver, FaultyDriver, ManualClock } from '../../src/testing/index.ts';
import { eachStore, until } from './fixture.ts';

eachStore('a running handler keeps its lease; the message is not handed out', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q', leaseDuration: 900 });
  let finish = (): void => {};
  let begun = 0;
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: () => {
      begun++;
      return new Promise<void>((resolve) => (finish = resolve));
    },
  });
  await mq.sendMessage('q', { payload: 1 });
  await until(() => begun === 1);
  for (let i = 0; i < 20; i++) await advance(290);
  assert.equal(begun, 1);
  assert.equal((await mq.getQueueInfo('q')).leased, 1);
  finish();
  await until(async () => (await mq.getQueueInfo('q')).messageCount === 0);
});

eachStore('G4 a late acknowledgement is refused and changes nothing', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q', leaseDuration: '1s' });
  const id = await mq.sendMessage('q', { payload: 1 });
  const early = await mq.receiveMessage('q', 'me');
  await advance(1_001);
  await assert.rejects(mq.acknowledgeMessage(id, 'me'), LeaseLostError);
  const late = await mq.receiveMessage('q', 'you');
  assert.equal(late!.id, id);
  assert.equal(late!.deliveryCount, 2);
  await assert.rejects(early!.acknowledge(), LeaseLostError);
  await assert.rejects(mq.rejectMessage(id, 'me', 'x'), LeaseLostError);
  assert.equal((await mq.getQueueInfo('q')).leased, 1);
  await mq.acknowledgeMessage(id, 'you');
  await assert.rejects(mq.acknowledgeMessage(id, 'you'), MessageNotFoundError);
});

eachStore('extendLease keeps a received message', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', leaseDuration: '1s' });
  const id = await mq.sendMessage('q', { payload: 1 });
  const delivery = await mq.receiveMessage('q', 'me');
  await mq.extendLease(id, 'me', '1m');
  await advance(30_000);
  assert.equal(await mq.receiveMessage('q', 'you'), null);
  await delivery!.extendLease('1m');
  await advance(59_000);
  await delivery!.acknowledge();
});

eachStore('a handler that takes too long is told, and its message retried', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q', backoff: 0 });
  const reasons: unknown[] = [];
  let tries = 0;
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handlerTimeout: '2s',
    handler: ({ signal }) => {
      if (++tries > 1) return null;
      return new Promise<void>((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push((signal.reason as { code: string }).code);
          reject(signal.reason as Error);
        });
      });
    },
  });
  await mq.sendMessage('q', { payload: 1 });
  await until(() => tries === 1);
  await advance(2_001);
  await until(() => tries === 2);
  assert.deepEqual(reasons, ['TIMEOUT']);
});

/** A consumer whose leases cannot be extended any more, with three messages of which it has begun one. */
async function withoutExtension(
  body: (given: {
    readonly mq: MessageQueueSystem;
    readonly clock: ManualClock;
    readonly begun: string[];
    readonly aborted: unknown[];
    readonly finish: () => void;
  }) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  const driver = new FaultyDriver(createMemoryDriver({ clock }));
  const mq = await MessageQueueSystem.open({ storage: driver, clock });
  mq.events.on('consumerError', () => driver.failNext('extend'));
  await mq.createQueue({ name: 'q', leaseDuration: 900 });
  await mq.sendBatch('q', [{ payload: 'a' }, { payload: 'b' }, { payload: 'c' }]);
  const begun: string[] = [];
  const aborted: unknown[] = [];
  let finish = (): void => {};
  driver.failNext('extend');
  await mq.createConsumer<string>({
    id: 'c',
    queueName: 'q',
    handler: ({ payload, deliveryCount, signal }) => {
      begun.push(`${payload} ${deliveryCount}`);
      signal.addEventListener('abort', () => aborted.push(signal.reason));
      return begun.length > 1 ? null : new Promise<void>((resolve) => (finish = resolve));
    },
  });
  await until(() => begun.length === 1);
  try {
    await body({ mq, clock, begun, aborted, finish: () => finish() });
  } finally {
    finish();
    await mq.close({ deadline: 0 });
  }
}

test('a running handler is told when its lease has ended without having been extended', async () => {
  await withoutExtension(async ({ clock, aborted }) => {
    await clock.advanceAsync(899);
    assert.equal(aborted.length, 0);
    await clock.advanceAsync(1);
    assert.deepEqual(
      aborted.map((reason) => (reason as LeaseLostError).code),
      ['LEASE_LOST'],
    );
  });
});

test('G3 no handler begins on a message whose lease ended while it waited', async () => {
  await withoutExtension(async ({ mq, clock, begun, finish }) => {
    await clock.advanceAsync(901);
    finish();
    await until(async () => (await mq.getQueueInfo('q')).messageCount === 0);
    assert.deepEqual(
      begun.toSorted((a, b) => (a < b ? -1 : 1)),
      ['a 1', 'a 2', 'b 2', 'c 2'],
    );
  });
});

test('G3 for await: no message whose lease ended while it waited', async () => {
  const clock = new ManualClock();
  const driver = new FaultyDriver(createMemoryDriver({ clock }));
  const mq = await MessageQueueSystem.open({ storage: driver, clock });
  mq.events.on('consumerError', () => driver.failNext('extend'));
  await mq.createQueue({ name: 'q', leaseDuration: 900 });
  await mq.sendBatch('q', [{ payload: 'a' }, { payload: 'b' }]);
  driver.failNext('extend');
  const seen: string[] = [];
  for await (const delivery of mq.consume<string>('q')) {
    seen.push(`${delivery.payload} ${delivery.deliveryCount}`);
    if (seen.length === 1) {
      await clock.advanceAsync(901);
      await assert.rejects(delivery.acknowledge(), LeaseLostError);
    } else await delivery.acknowledge();
    if (seen.length === 3) break;
  }
  assert.deepEqual(
    seen.toSorted((a, b) => (a < b ? -1 : 1)),
    ['a 1', 'a 2', 'b 2'],
  );
  await mq.close();
});

/**
 * What the handler asked for fails, and it goes on as if nothing had happened.
 * @param body is called when the handler has returned and the store is well again
 */
async function shrugOff(
  ask: (delivery: Delivery) => Promise<void>,
  fault: { readonly method: 'release' | 'move' | 'settle'; readonly when: 'before' | 'after' },
  body: (mq: MessageQueueSystem) => Promise<void>,
): Promise<void> {
  const driver = new FaultyDriver(createMemoryDriver({ clock: new ManualClock() }));
  const mq = await MessageQueueSystem.open({ storage: driver });
  try {
    await mq.createQueue({ name: 'q' });
    await mq.createQueue({ name: 'answers' });
    driver.plan({ ...fault, call: 1, error: new StorageError('away') });
    mq.events.on('leaseLost', () => assert.fail('it was not lost'));
    let returned = false;
    const consumer = await mq.createConsumer({
      id: 'c',
      queueName: 'q',
      handler: async (delivery) => {
        await ask(delivery);
        returned = true;
        return 'answer';
      },
    });
    await mq.sendMessage('q', { payload: 1, replyTo: 'answers', correlationId: 'x' });
    await until(() => returned);
    await consumer.stop();
    await body(mq);
  } finally {
    await mq.close({ deadline: 0 });
  }
}

for (const when of ['before', 'after'] as const) {
  test(`a retry that failed (${when} it took effect) does not become an acknowledgement`, () =>
    shrugOff(
      (delivery) => assert.rejects(delivery.retry({ delay: '1m' }), StorageError),
      { method: 'release', when },
      async (mq) => {
        const { messages } = await mq.browse('q', { state: 'scheduled' });
        assert.deepEqual(
          messages.map(({ retryCount }) => retryCount),
          [1],
        );
        assert.equal((await mq.getQueueInfo('answers')).messageCount, 0);
      },
    ));

  test(`a dead-lettering that failed (${when} it took effect) is done all the same`, () =>
    shrugOff(
      (delivery) => assert.rejects(delivery.deadLetter(), StorageError),
      { method: 'move', when },
      async (mq) => {
        assert.equal((await mq.getQueueInfo('q')).messageCount, 0);
        assert.equal((await mq.getQueueInfo('dead-letter')).messageCount, 1);
        // That the request died, when that is known; never what the handler returned.
        const answers = when === 'before' ? 1 : 0;
        assert.equal((await mq.getQueueInfo('answers')).messageCount, answers);
      },
    ));
}

test('an acknowledgement after a retry that failed is one', () =>
  shrugOff(
    async (delivery) => {
      await assert.rejects(delivery.retry(), StorageError);
      await delivery.acknowledge();
    },
    { method: 'release', when: 'before' },
    async (mq) => assert.equal((await mq.getQueueInfo('q')).messageCount, 0),
  ));
