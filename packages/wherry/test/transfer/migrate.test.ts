/** What a migration brings along, what it leaves, and what it refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NEVER, type Driver } from '../../src/core/driver.ts';
import { QueueExistsError, TransferRunningError, ValidationError } from '../../src/core/errors.ts';
import { createMemoryDriver } from '../../src/drivers/memory/index.ts';
import { MessageQueueSystem, migrate, type MigrateOptions } from '../../src/index.ts';
import { Life } from './mortal.ts';
import { PatientClock, TestStore } from './world.ts';

interface Pair {
  readonly clock: PatientClock;
  readonly source: TestStore;
  readonly target: TestStore;
  readonly move: (options?: Partial<MigrateOptions>) => ReturnType<typeof migrate>;
}

async function makePair(): Promise<Pair> {
  const clock = new PatientClock();
  const source = await TestStore.inMemory(clock);
  const target = await TestStore.inMemory(clock);
  const life = new Life();
  const move = (options: Partial<MigrateOptions> = {}) =>
    migrate({ from: life.of(source.driver), to: life.of(target.driver), clock, ...options });
  return { clock, source, target, move };
}

test('a message keeps what a new message can say', async () => {
  const { clock, source, target, move } = await makePair();
  const queue = await source.queue('orders', { maxRetries: 5 });
  const properties = { headers: { tenant: 'a', count: 3 }, correlationId: 'c', messageId: 'm' };
  const route = { exchange: 'x', routingKeys: ['k'], toExchange: 'dlx', toRoutingKeys: ['k', 'l'] };
  const death = {
    queue: 'other',
    reason: 'rejected',
    time: 7,
    count: 2,
    error: 'no',
    route,
  } as const;
  const sent = {
    encoding: 'amqp',
    body: new Uint8Array([0, 255, 10]),
    properties,
    priority: 9,
    groupId: 'g',
    deduplicationId: 'd',
    deaths: [death],
    ttl: 90_000,
  } as const;
  const [id = ''] = await source.publish(queue, [{ ...sent, bytes: 80 }]);
  const [held] = await source.take(queue);
  const receipt = { queue, id, token: held!.lease.token };
  await source.driver.release([{ receipt, as: 'retry', delay: 20_000 }]);
  const { availableAt, expiresAt } = (await source.driver.get(id))!;
  clock.manual.advance(5_000);
  await move();
  const moved = (await target.driver.get(id))!;
  assert.deepEqual([moved.encoding, moved.body], ['amqp', sent.body]);
  assert.deepEqual(moved.properties, { ...properties, maxRetries: 4 });
  assert.deepEqual(moved.deaths, [death]);
  const { state, priority, groupId, deduplicationId } = moved;
  assert.deepEqual(
    { state, priority, groupId, deduplicationId },
    { state: 'scheduled', priority: 9, groupId: 'g', deduplicationId: 'd' },
  );
  assert.deepEqual([moved.availableAt, moved.expiresAt], [availableAt, expiresAt]);
  assert.equal(await source.driver.get(id), null);
});

test('what a message costs counts the same at the target', async () => {
  const { source, target, move } = await makePair();
  const queue = await source.queue('orders');
  await source.publish(queue, [
    { body: 'x', bytes: 100 },
    { body: 'y', bytes: 23 },
  ]);
  await move();
  const counts = await target.driver.counts(await target.queue('orders'));
  assert.deepEqual([counts.ready, counts.bytes], [2, 123]);
});

test('messages with the same deduplication id are all moved', async () => {
  const { clock, source, target, move } = await makePair();
  const queue = await source.queue('orders', { deduplicationWindow: 1_000 });
  const message = { body: 'twice', deduplicationId: 'd' };
  await source.publish(queue, [message]);
  clock.manual.advance(2_000);
  await source.publish(queue, [message]);
  await target.queue('orders', { deduplicationWindow: 1_000 });
  await target.publish(await target.queue('orders'), [{ ...message, body: 'sent to the target' }]);
  await move();
  assert.equal((await target.all(await target.queue('orders'))).length, 3);
});

test('queues, exchanges and bindings are made as they were', async () => {
  const { source, target, move } = await makePair();
  const life = new Life();
  const here = await MessageQueueSystem.open({ storage: life.of(source.driver) });
  await here.createQueue({ name: 'orders', maxSize: 10, backoff: { delay: '5s' }, paused: true });
  await here.createQueue({ name: 'other' });
  for (const name of ['events', 'all', 'unused'])
    await here.createExchange({ name, type: 'topic' });
  await here.bind({ exchange: 'all', destinationExchange: 'events', routingKey: '#' });
  await here.bind({ exchange: 'events', queue: 'orders', routingKey: 'order.*' });
  await here.bind({ exchange: 'events', queue: 'other', headers: { a: 1 }, match: 'any' });
  const settingsOf = (mq: MessageQueueSystem, name: string) => mq.getQueue(name).settings;
  const settings = settingsOf(here, 'orders');
  const bindings = here.listBindings();
  await here.close();

  const some = await move({ queues: ['orders'] });
  assert.deepEqual([some.exchanges, some.bindings], [2, 2]);
  const there = await MessageQueueSystem.open({ storage: life.of(target.driver) });
  assert.deepEqual(settingsOf(there, 'orders'), settings);
  assert.throws(() => there.getQueue('other'));
  assert.deepEqual(
    there
      .listExchanges()
      .map(({ name }) => name)
      .toSorted(),
    ['all', 'events'],
  );
  await there.close();

  await move();
  const whole = await MessageQueueSystem.open({ storage: life.of(target.driver) });
  assert.equal(whole.listExchanges().length, 3);
  const byKey = (list: readonly unknown[]) => list.map((one) => JSON.stringify(one)).toSorted();
  assert.deepEqual(byKey(whole.listBindings()), byKey(bindings));
  await whole.close();
});

test('a queue that is there with other settings is refused, or keeps them', async () => {
  const { source, target, move } = await makePair();
  await source.publish(await source.queue('orders', { maxSize: 10 }), [{}]);
  await target.queue('orders', { maxSize: 20 });
  await assert.rejects(move(), (error) => {
    assert.ok(error instanceof QueueExistsError);
    assert.match(error.message, /maxSize/);
    return true;
  });
  const { queues } = await move({ keepSettings: true });
  assert.equal(queues.find(({ name }) => name === 'orders')?.moved, 1);
  assert.equal((await target.queue('orders')).maxSize, 20);
});

test('a queue in partitions is whole where the target has no partitions', async () => {
  const { source, target, move } = await makePair();
  await source.queue('orders', { partitions: 4 });
  await move();
  assert.equal((await target.queue('orders')).partitions, 1);
});

test('messages in the hands of a consumer are left and told', async () => {
  const { source, target, move } = await makePair();
  const queue = await source.queue('orders');
  await source.publish(queue, [{ body: 'held' }, { body: 'free' }]);
  const [held] = await source.take(queue, 1);
  const { queues } = await move({ queues: ['orders'] });
  assert.deepEqual(queues[0]?.left, { ready: 0, scheduled: 0, leased: 1 });
  assert.deepEqual(await target.consume(await target.queue('orders')), ['free']);
  // The lease is the consumer's still.
  const receipt = { queue, id: held!.id, token: held!.lease.token };
  assert.deepEqual(await source.driver.settle([receipt]), []);
});

test('it waits for messages in the hands of a consumer', async () => {
  const { source, target, move } = await makePair();
  const queue = await source.queue('orders');
  await source.publish(queue, [{ body: 'held' }]);
  const [held] = await source.take(queue, 1);
  const receipt = { queue, id: held!.id, token: held!.lease.token };
  let looks = 0;
  const counting = new Proxy(new Life().of(source.driver), {
    get(driver, name) {
      const value: unknown = Reflect.get(driver, name);
      if (name !== 'counts') return value;
      return async (...args: Parameters<Driver['counts']>) => {
        // The consumer gives up after a while.
        if (++looks === 10) await source.driver.release([{ receipt, as: 'requeue', delay: 0 }]);
        return driver.counts(...args);
      };
    },
  });
  const { queues } = await move({ from: counting, queues: ['orders'], wait: '10m' });
  assert.deepEqual([queues[0]?.moved, queues[0]?.left.leased], [1, 0]);
  assert.deepEqual(await target.consume(await target.queue('orders')), ['held']);
});

test('limits of the queue do not slow the move', async () => {
  const { source, move } = await makePair();
  const queue = await source.queue('orders', {
    maxInFlight: 1,
    rateLimit: { max: 1, per: '1h' },
    groupRateLimit: { max: 1, per: '1h' },
  });
  await source.publish(
    queue,
    Array.from({ length: 20 }, (_, n) => ({ body: `${n}`, groupId: `g${n % 2}` })),
  );
  const { queues } = await move({ queues: ['orders'] });
  assert.equal(queues[0]?.moved, 20);
});

test('what finds no room is left where it is, as it was', async () => {
  const { source, target, move } = await makePair();
  const queue = await source.queue('orders');
  await source.publish(queue, [{ body: '0' }, { body: '1' }, { body: '2', delay: 60_000 }]);
  await target.queue('orders', { maxSize: 1 });
  const { queues } = await move({ queues: ['orders'], keepSettings: true });
  assert.deepEqual(
    [queues[0]?.moved, queues[0]?.refusal, queues[0]?.left],
    [1, 'maxSize', { ready: 1, scheduled: 1, leased: 0 }],
  );
  const left = await source.all(queue);
  assert.deepEqual(
    left.map(({ deliveryCount, retryCount }) => [deliveryCount, retryCount]),
    [
      [0, 0],
      [0, 0],
    ],
  );
});

test('a message whose bytes are damaged is set aside, not moved', async () => {
  const { source, target, move } = await makePair();
  const queue = await source.queue('orders');
  const [bad = ''] = await source.publish(queue, [{ body: 'bad' }, { body: 'good' }]);
  const damaging = new Proxy(new Life().of(source.driver), {
    get(driver, name) {
      const value: unknown = Reflect.get(driver, name);
      if (name !== 'take') return value;
      return async (...args: Parameters<Driver['take']>) => {
        const result = await driver.take(...args);
        const messages = result.messages.map((one) =>
          one.id === bad ? { ...one, damaged: true } : one,
        );
        return { ...result, messages };
      };
    },
  });
  const { queues } = await move({ from: damaging, queues: ['orders'] });
  assert.deepEqual([queues[0]?.moved, queues[0]?.damaged], [1, 1]);
  const stored = await source.driver.get(bad);
  assert.deepEqual([stored?.availableAt, stored?.parked?.reason], [NEVER, 'invalid']);
  assert.equal((await target.all(await target.queue('orders'))).length, 1);
});

test('what a queue in memory would lose is left', async () => {
  const { clock, source } = await makePair();
  await source.publish(await source.queue('orders', { durable: false }), [{}]);
  // A store that is on disk, as far as core can tell: such queues of it are held in memory.
  const supports = { durability: 'power' } as const;
  const target = new Life().of(createMemoryDriver({ clock }), supports);
  const from = new Life().of(source.driver);
  const { queues } = await migrate({ from, to: target, queues: ['orders'], clock });
  assert.deepEqual([queues[0]?.isVolatile, queues[0]?.moved, queues[0]?.left.ready], [true, 0, 1]);
});

test('a second migration that meets a living one stands back', async () => {
  const { source, move } = await makePair();
  const queue = await source.queue('orders');
  await source.publish(queue, [{ body: '0' }, { body: '1' }]);
  const [held] = await source.driver
    .take({
      queue,
      consumerId: '#transfer/abc/1',
      max: 1,
      leaseDuration: 60_000,
      bound: false,
      perGroup: 1,
    })
    .then(({ messages }) => messages);
  let looks = 0;
  const from = new Proxy(new Life().of(source.driver), {
    get(driver, name) {
      const value: unknown = Reflect.get(driver, name);
      if (name !== 'browse') return value;
      return async (...args: Parameters<Driver['browse']>) => {
        // Between two looks it settles what it has in hand.
        const receipt = { queue, id: held!.id, token: held!.lease.token };
        if (++looks === 2) await source.driver.settle([receipt]);
        return driver.browse(...args);
      };
    },
  });
  await assert.rejects(move({ from, queues: ['orders'] }), TransferRunningError);
});

test('a signal ends it between two batches, and the next run goes on', async () => {
  const { source, target, move } = await makePair();
  const queue = await source.queue('orders');
  const bodies = Array.from({ length: 5 }, (_, n) => `${n}`);
  // So heavy that each is a batch of its own.
  await source.publish(
    queue,
    bodies.map((body) => ({ body, bytes: 20_000_000 })),
  );
  const interrupt = new AbortController();
  const seen: number[] = [];
  const onProgress: MigrateOptions['onProgress'] = ({ moved, total }) => {
    seen.push(moved);
    assert.equal(total, 5);
    if (moved === 2) interrupt.abort();
  };
  await assert.rejects(move({ queues: ['orders'], signal: interrupt.signal, onProgress }), {
    name: 'AbortError',
  });
  assert.deepEqual(seen, [0, 0, 1, 2]);
  assert.deepEqual(await source.driver.counts(queue).then(({ leased }) => leased), 0);
  await move({ queues: ['orders'] });
  assert.deepEqual(await target.consume(await target.queue('orders')), bodies);
});

test('a store is not moved into itself', async () => {
  await assert.rejects(migrate({ from: 'memory:', to: 'memory:' }), ValidationError);
});
