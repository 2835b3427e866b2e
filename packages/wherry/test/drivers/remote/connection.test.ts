import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import type { Driver, QueueRef } from '../../../src/core/driver.ts';
import { StorageError } from '../../../src/core/errors.ts';
import { createRemoteDriver, type RemoteDriverOptions } from '../../../src/drivers/remote/index.ts';
import { newMessage, receiptOf } from '../../../src/testing/suite/fixture.ts';
import { startProxy } from '../../servers/tcp-proxy.ts';
import { hasCode, openStore, socketPath, withinTime } from './connection-fixture.ts';
import { hostAt, hostOnWebSocket } from './hosted.ts';

const TAKE = { consumerId: 'c', leaseDuration: 30_000, bound: false, perGroup: 1 };

async function connect(t: TestContext, options: RemoteDriverOptions): Promise<Driver> {
  const driver = createRemoteDriver(options);
  await driver.open();
  t.after(() => driver.close());
  return driver;
}

type MutedMethod = 'publish' | 'take' | 'settle' | 'purge';

/** A store that does what a call says and never answers it. */
function mute(store: Driver, method: MutedMethod, done: () => void): Driver {
  return new Proxy(store, {
    get: (_, key: keyof Driver) => {
      const value: unknown = store[key];
      if (typeof value !== 'function') return value;
      if (key !== method) return value.bind(store);
      return async (...args: unknown[]) => {
        await Reflect.apply(value, store, args);
        done();
        return new Promise(() => undefined);
      };
    },
  });
}

/** Makes a call of which the host is killed before it answers; another host follows it. */
async function callOverKill<T>(
  t: TestContext,
  method: MutedMethod,
  call: (remote: Driver, queue: QueueRef) => Promise<T>,
): Promise<{ answer: Promise<T>; store: Driver; queue: QueueRef }> {
  const { store, queue } = await openStore(t);
  const path = socketPath(t);
  let done!: () => void;
  const isDone = new Promise<void>((resolve) => (done = resolve));
  const first = await hostAt(path, mute(store, method, done));
  const remote = await connect(t, { url: `unix:${path}` });
  const answer = call(remote, queue);
  answer.catch(() => undefined);
  await isDone;
  await first.kill();
  const second = await hostAt(path, store);
  t.after(() => second.stop());
  return { answer, store, queue };
}

test('a send whose host was killed before it answered is stored once, and confirmed', async (t) => {
  const { answer, store, queue } = await callOverKill(t, 'publish', (remote, target) =>
    remote.publish([
      { targets: [target], message: newMessage('a') },
      { targets: [target], message: newMessage('b') },
    ]),
  );
  const outcomes = await answer;
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['stored', 'stored'],
  );
  assert.equal((await store.counts(queue)).ready, 2);
});

test('of a settlement whose host was killed nobody knows, and the caller is told', async (t) => {
  const { answer } = await callOverKill(t, 'settle', async (remote, queue) => {
    await remote.publish([{ targets: [queue], message: newMessage('a') }]);
    const { messages } = await remote.take({ ...TAKE, queue, max: 1 });
    return remote.settle([receiptOf(queue, messages[0]!)]);
  });
  await assert.rejects(answer, hasCode('STORAGE_CONNECTION', true));
});

test('a purge is not made twice', async (t) => {
  const { answer } = await callOverKill(t, 'purge', (remote, queue) => remote.purge(queue));
  await assert.rejects(answer, hasCode('STORAGE_CONNECTION', true));
});

test('a value that was sent to a host that was killed does not take the place of a newer one', async (t) => {
  const value = (id: string, body: string) => ({
    ...newMessage(id),
    body,
    deduplicationId: 'key',
    keepLast: true,
  });
  const { answer, store, queue } = await callOverKill(t, 'publish', async (remote, target) =>
    remote.publish([{ targets: [target], message: value('a', 'older') }]),
  );
  await store.publish([{ targets: [queue], message: value('b', 'newer') }]);
  await assert.rejects(answer, hasCode('STORAGE_CONNECTION', true));
  const { messages } = await store.browse({ queue, state: 'ready', limit: 10 });
  assert.deepEqual(
    messages.map(({ body }) => body),
    ['newer'],
  );
});

test('a store is closed though a host that died had a take under way', async (t) => {
  const { store, queue } = await openStore(t);
  const path = socketPath(t);
  let done!: () => void;
  const isDone = new Promise<void>((resolve) => (done = resolve));
  const hosted = await hostAt(path, mute(store, 'take', done));
  const remote = createRemoteDriver({ url: `unix:${path}`, connectTimeout: 100 });
  await remote.open();
  const taken = remote.take({ ...TAKE, queue, max: 1 });
  taken.catch(() => undefined);
  await isDone;
  await hosted.kill();
  await assert.rejects(taken, hasCode('STORAGE_CONNECTION', true));
  assert.equal(await withinTime(remote.close()), 'in time');
});

test('an answer that cannot be read is an error of its call, and the store can be closed', async (t) => {
  const { store, queue } = await openStore(t);
  const path = socketPath(t);
  const wrong = new Proxy(store, {
    get: (_, key: keyof Driver) => {
      if (key === 'counts') return async () => 'no counts';
      const value: unknown = store[key];
      return typeof value === 'function' ? value.bind(store) : value;
    },
  });
  const hosted = await hostAt(path, wrong);
  t.after(() => hosted.kill());
  const remote = createRemoteDriver({ url: `unix:${path}` });
  await remote.open();
  const counted = remote.counts(queue);
  assert.equal(await withinTime(counted), 'in time');
  await assert.rejects(counted, hasCode('STORAGE_CONNECTION', true));
  assert.ok((await remote.now()) > 0);
  assert.equal(await withinTime(remote.close()), 'in time');
});

test('of a send in parts of which one failed, it is not said that nothing was changed', async (t) => {
  const { store, queue } = await openStore(t);
  const path = socketPath(t);
  let calls = 0;
  const full = new Proxy(store, {
    get: (_, key: keyof Driver) => {
      const value: unknown = store[key];
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        if (key === 'publish' && ++calls === 2) {
          throw new StorageError('No room; nothing was changed.', {
            code: 'STORAGE_FULL',
            retriable: true,
          });
        }
        return Reflect.apply(value, store, args) as unknown;
      };
    },
  });
  const hosted = await hostAt(path, full, { limits: { frameBytes: 64 * 1024 } });
  t.after(() => hosted.stop());
  const remote = await connect(t, { url: `unix:${path}` });
  const large = (id: string) => {
    const message = { ...newMessage(id), body: 'x'.repeat(30_000), bytes: 30_000 };
    return { targets: [queue], message };
  };
  // In parts of what the host takes: in one it would be refused.
  const sent = remote.publish(['a', 'b', 'c'].map(large));
  await assert.rejects(sent, hasCode('STORAGE_CONNECTION', true));
  assert.equal((await store.counts(queue)).ready, 2);
});

test('a lease goes on at the next host, and who waits for messages is woken there', async (t) => {
  const { store, queue } = await openStore(t);
  const path = socketPath(t);
  const first = await hostAt(path, store);
  const remote = await connect(t, { url: `unix:${path}` });
  const changes: unknown[] = [];
  remote.topology.watch((change) => changes.push(change));
  await remote.topology.load();
  const woken = new Promise<void>((resolve) => remote.notifier.subscribe(() => resolve()));
  await remote.publish([{ targets: [queue], message: newMessage('a') }]);
  const { messages } = await remote.take({ ...TAKE, queue, max: 1 });
  remote.notifier.follow?.(queue.number);
  await first.kill();
  await store.topology.put({ kind: 'queue', name: 'meanwhile', value: {} }, 0);
  const second = await hostAt(path, store);
  t.after(() => second.stop());
  const receipt = receiptOf(queue, messages[0]!);
  assert.deepEqual(await remote.extend([{ receipt, leaseDuration: 60_000 }]), []);
  await woken;
  assert.deepEqual(await remote.settle([receipt]), []);
  const deadline = Date.now() + 5_000;
  while (changes.length === 0 && Date.now() < deadline) await remote.now();
  assert.match(JSON.stringify(changes), /meanwhile/);
});

test('calls wait for a host that is away, and no longer than they should', async (t) => {
  const { store } = await openStore(t);
  const path = socketPath(t);
  const first = await hostAt(path, store);
  const remote = await connect(t, { url: `unix:${path}`, connectTimeout: 300 });
  await first.stop();
  // It has to be noticed: a call that was sent before may have been carried out.
  await new Promise((resolve) => setTimeout(resolve, 20));
  const late = await remote.now().then(
    () => null,
    (error: unknown) => error,
  );
  hasCode('STORAGE_UNAVAILABLE', true)(late);
  const waiting = remote.now();
  const second = await hostAt(path, store);
  t.after(() => second.stop());
  assert.ok((await waiting) > 0);
});

test('a connection that has gone silent is left for another', async (t) => {
  const { store } = await openStore(t);
  const hosted = await hostOnWebSocket(store);
  t.after(() => hosted.stop());
  const proxy = await startProxy(hosted.port);
  t.after(() => proxy.stop());
  const remote = await connect(t, { url: proxy.urlOf(hosted.url), heartbeat: 50 });
  proxy.freeze();
  assert.ok((await remote.now()) > 0);
});

test('what was leased to a caller who had given up is given back', async (t) => {
  const { store, queue } = await openStore(t);
  const hosted = await hostOnWebSocket(store);
  t.after(() => hosted.stop());
  const proxy = await startProxy(hosted.port);
  t.after(() => proxy.stop());
  const url = proxy.urlOf(hosted.url);
  const remote = await connect(t, { url, heartbeat: 50, connectTimeout: 300 });
  await remote.publish([{ targets: [queue], message: newMessage('a') }]);
  proxy.stall();
  await assert.rejects(
    remote.take({ ...TAKE, queue, max: 1 }),
    hasCode('STORAGE_CONNECTION', true),
  );
  const [before] = (await store.browse({ queue, state: 'ready', limit: 1 })).messages;
  assert.equal(before?.deliveryCount, 0);
  proxy.resume();
  // Carried out now, in order, and then what it got is released.
  await remote.now();
  const deadline = Date.now() + 5_000;
  while ((await store.counts(queue)).ready === 0) {
    assert.ok(Date.now() < deadline);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { messages } = await remote.take({ ...TAKE, queue, max: 1 });
  assert.equal(messages[0]?.deliveryCount, 1);
  assert.ok(messages[0].lease.token > 1, 'it was never leased before');
});

for (const [status, code, retriable] of [
  [401, 'STORAGE_AUTH', false],
  [403, 'STORAGE_AUTH', false],
  [404, 'STORAGE_OPEN', false],
  [503, 'STORAGE_UNAVAILABLE', true],
] as const) {
  test(`a broker that answers ${status} is no store: ${code}`, async (t) => {
    const server = createServer((_, response) => response.writeHead(status).end());
    server.on('upgrade', (_, socket) => {
      socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    const url = `http://ada:secret@127.0.0.1:${port}`;
    const driver = createRemoteDriver({ url, connectTimeout: 300 });
    await assert.rejects(driver.open(), (error: unknown) => {
      assert.doesNotMatch(String(error), /secret/);
      return hasCode(code, retriable)(error);
    });
  });
}
