/** What one end sends is never the end of the other. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Driver, QueueRef, TopologyChange } from '../../../src/core/driver.ts';
import { createLmdbDriver } from '../../../src/drivers/lmdb/index.ts';
import { createRemoteDriver } from '../../../src/drivers/remote/index.ts';
import {
  FRAME,
  frameOf,
  hello,
  MAGIC,
  PROTOCOL_VERSION,
} from '../../../src/drivers/remote/wire/frames.ts';
import { MessageQueueSystem, SystemClock } from '../../../src/index.ts';
import { newMessage, receiptOf, unboundedQueue } from '../../../src/testing/suite/fixture.ts';
import { connect, openMemory, serve, until } from './connection-fixture.ts';

const NO_ENTRIES: readonly (readonly [string, unknown])[] = [
  ['exchange', null],
  ['exchange', { name: 'x', type: 'none' }],
  ['exchange', { name: 'other', type: 'direct' }],
  ['queue', 'text'],
  ['queue', { settings: { maxRetries: 'many' } }],
  ['binding', { exchange: 'x', destination: null }],
  ['schedule', { definition: {} }],
];

/** Those that the process makes from here on. */
function warnings(t: TestContext): string[] {
  const messages: string[] = [];
  const note = ({ message }: Error): unknown => messages.push(message);
  process.on('warning', note);
  t.after(() => process.off('warning', note));
  return messages;
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'wherry-hostile-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

test('a topology entry that nobody could read is not stored', async (t) => {
  const store = await openMemory(t);
  const remote = await connect(t, await serve(t, store));
  for (const [kind, value] of NO_ENTRIES) {
    const put = remote.topology.put({ kind, name: 'x', value }, 0);
    await assert.rejects(put, { code: 'VALIDATION' }, `${kind} ${JSON.stringify(value)}`);
  }
  assert.deepEqual(await store.topology.load(), []);
  const mq = await MessageQueueSystem.open({ storage: remote, queues: [{ name: 'q' }] });
  await mq.createExchange({ name: 'x', type: 'topic' });
  await mq.bind({ exchange: 'x', queue: 'q', routingKey: '#' });
  await mq.upsertSchedule('s', { every: '1h', queue: 'q', message: { payload: 1 } });
  await mq.close();
});

test(
  'a stored entry that cannot be read is passed over, and made anew',
  { timeout: 5_000 },
  async (t) => {
    const path = await folder(t);
    const told = warnings(t);
    const storage = createLmdbDriver({ path, clock: new SystemClock() });
    const mq = await MessageQueueSystem.open({ storage, queues: [{ name: 'q' }] });
    const bad = NO_ENTRIES.filter(([kind]) => kind !== 'schedule');
    for (const [i, [kind, value]] of bad.entries()) {
      assert.ok(await storage.topology.put({ kind, name: `bad${i}`, value }, 0));
    }
    await mq.sendMessage('q', { payload: 1 });
    await mq.close();
    const again = await MessageQueueSystem.open({ storage: path });
    t.after(() => again.close());
    assert.equal((await again.receiveMessage('q', 'c'))?.payload, 1);
    await again.createExchange({ name: 'bad0', type: 'direct' });
    await again.deleteExchange('bad0');
    await until(() => told.some((message) => message.includes("exchange 'bad0' in the store")));
  },
);

test(
  'a listener that throws neither stops a store nor keeps it from others',
  { timeout: 5_000 },
  async (t) => {
    const path = await folder(t);
    const told = warnings(t);
    const storage = createLmdbDriver({ path, clock: new SystemClock() });
    const mq = await MessageQueueSystem.open({ storage, queues: [{ name: 'q' }] });
    t.after(() => mq.close());
    const seen: TopologyChange[] = [];
    storage.topology.watch(() => assert.fail('a bad listener'));
    storage.topology.watch((change) => seen.push(change));
    await mq.createQueue({ name: 'r' });
    await mq.sendMessage('r', { payload: 1 });
    assert.equal(seen.length, 1);
    await until(() => told.includes('a bad listener'));
  },
);

test(
  'a broker that tells nonsense is no more than a broken connection',
  { timeout: 5_000 },
  async (t) => {
    const store = await openMemory(t);
    const { topology } = store;
    const tell = new Set<(change: TopologyChange) => void>();
    const watch: typeof topology.watch = (listener) => {
      tell.add(listener);
      return topology.watch(listener);
    };
    const lying = new Proxy(store, {
      get: (_, key: keyof Driver) => {
        const value: unknown = store[key];
        if (key === 'topology') {
          const [load, put] = [() => topology.load(), topology.put.bind(topology)];
          return { load, put, watch, remove: topology.remove.bind(topology) };
        }
        return typeof value === 'function' ? value.bind(store) : value;
      },
    });
    const hosted = await serve(t, lying);
    const told = warnings(t);
    const storage = createRemoteDriver({ url: hosted.url, connectTimeout: 1_000 });
    const mq = await MessageQueueSystem.open({ storage, queues: [{ name: 'q' }] });
    t.after(() => mq.close());
    const changes: unknown[] = [];
    storage.topology.watch(() => assert.fail('a bad listener'));
    storage.topology.watch((change) => changes.push(change));
    for (const listener of tell) {
      listener({
        type: 'put',
        entry: { kind: 'binding', name: 'b', number: 91, version: 1, value: 7 },
      });
      listener({ type: 'put', entry: {} } as TopologyChange);
    }
    await until(() => changes.length > 0 && told.length > 1);
    await mq.sendMessage('q', { payload: 1 });
    assert.ok(told.includes('a bad listener'), String(told));
    assert.ok(
      told.some((message) => message.includes("binding 'b' in the store")),
      String(told),
    );
  },
);

test('a session is dropped when what it confirms was never sent', async (t) => {
  const hosted = await serve(t, await openMemory(t), { limits: { clients: 1 } });
  const session = randomBytes(16).toString('hex');
  for (const received of [null, 999]) {
    const socket: Socket = connectTcp(hosted.url.slice('unix:'.length));
    t.after(() => socket.destroy());
    const greeting = {
      magic: MAGIC,
      version: PROTOCOL_VERSION,
      session,
      received,
      heartbeat: 1_000,
    };
    socket.write(frameOf(FRAME.hello, hello, greeting));
    if (received === null) await once(socket, 'data');
    else await once(socket.resume(), 'close');
  }
  assert.deepEqual(hosted.host.clients(), []);
  await connect(t, hosted);
});

test('what is meant for a queue of another store reaches none here', async (t) => {
  const store = await openMemory(t);
  const jobs = await store.topology.put({ kind: 'queue', name: 'jobs', value: {} }, 0);
  const remote = await connect(t, await serve(t, store));
  const mails = unboundedQueue('mails', jobs!.number);
  const future = unboundedQueue('future', jobs!.number + 1);
  const present = unboundedQueue('jobs', jobs!.number);
  const to = (...targets: QueueRef[]) => ({ targets, message: newMessage('x') });
  const evicting = { ...present, evictTo: mails };
  const items = [to(mails), to(present), to(future), to(present, mails), to(evicting)];
  const outcomes = await remote.publish(items);
  const expected = ['missing', 'stored', 'missing', 'missing', 'missing'];
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    expected,
  );
  assert.deepEqual(await remote.publish([to(present), to(future)], { atomic: true }), [
    { status: 'missing', queue: 'future' },
    { status: 'missing', queue: 'future' },
  ]);
  for (const queue of [mails, future]) {
    const take = {
      queue,
      consumerId: 'c',
      max: 1,
      leaseDuration: 30_000,
      bound: false,
      perGroup: 1,
    };
    const gone = { code: 'QUEUE_NOT_FOUND' };
    await assert.rejects(remote.take(take), gone);
    await assert.rejects(remote.counts(queue), gone);
    await assert.rejects(remote.purge(queue), gone);
    await assert.rejects(remote.browse({ queue, state: 'ready', limit: 1 }), gone);
    await assert.rejects(remote.deleteQueue(queue, { onlyIfEmpty: false }), gone);
  }
  const take = { consumerId: 'c', max: 1, leaseDuration: 30_000, bound: false, perGroup: 1 };
  const { messages } = await remote.take({ ...take, queue: present });
  const receipt = receiptOf(present, messages[0]!);
  const moved = await remote.move([{ receipt, targets: [future] }]);
  assert.deepEqual(moved, [{ status: 'missing', queue: 'future' }]);
  assert.equal((await store.counts(present)).leased, 1);
  const created = await store.topology.put({ kind: 'queue', name: 'future', value: {} }, 0);
  assert.equal(created!.number, future.number);
  assert.equal((await remote.counts(future)).ready, 0);
});

test('answers beyond what may be under way come later, to one who takes much at once', async (t) => {
  const store = await openMemory(t);
  const entry = await store.topology.put({ kind: 'queue', name: 'q', value: {} }, 0);
  const queue = unboundedQueue('q', entry!.number);
  const message = newMessage('x'.repeat(256 * 1024));
  const items = Array.from({ length: 100 }, () => ({ targets: [queue], message }));
  await store.publish(items);
  let most = 0;
  let underWay = 0;
  const watched = new Proxy(store, {
    get: (_, key: keyof Driver) => {
      const value: unknown = store[key];
      if (typeof value !== 'function') return value;
      if (key !== 'take') return value.bind(store);
      return async (...args: unknown[]) => {
        underWay += 1;
        most = Math.max(most, underWay);
        await new Promise((resolve) => setImmediate(resolve));
        underWay -= 1;
        return Reflect.apply(value, store, args) as unknown;
      };
    },
  });
  // 25 MiB of answers, of which 4 may be under way.
  const hosted = await serve(t, watched, { limits: { bytesPerClient: 1024 * 1024 } });
  const remote = await connect(t, hosted);
  const take = { queue, consumerId: 'c', leaseDuration: 30_000, bound: false, perGroup: 1 };
  const taken = await Promise.all(items.slice(50).map(() => remote.take({ ...take, max: 2 })));
  const ids = taken.flatMap(({ messages }) => messages.map(({ id }) => id));
  assert.equal(new Set(ids).size, 100);
  assert.equal((await store.counts(queue)).leased, 100);
  assert.equal(hosted.host.clients()[0]?.calls, 50, 'no call was made twice');
  assert.ok(most < 10, `${most} takes were under way at once`);
});
