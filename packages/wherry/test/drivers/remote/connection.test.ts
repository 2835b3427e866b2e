import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Driver, QueueRef } from '../../../src/core/driver.ts';
import { StorageError } from '../../../src/core/errors.ts';
import { createMemoryDriver } from '../../../src/drivers/memory/index.ts';
import { createRemoteDriver, type RemoteDriverOptions } from '../../../src/drivers/remote/index.ts';
import { newMessage, receiptOf, unboundedQueue } from '../../../src/testing/suite/fixture.ts';
import { SystemClock } from '../../../src/system-clock.ts';
import { startProxy } from '../../servers/tcp-proxy.ts';
import { hostAt, hostOnWebSocket } from './hosted.ts';

const TAKE = { consumerId: 'c', leaseDuration: 30_000, bound: false, perGroup: 1 };

async function openStore(t: TestContext): Promise<{ store: Driver; queue: QueueRef }> {
  const store = createMemoryDriver({ clock: new SystemClock() });
  await store.open();
  t.after(() => store.close());
  const entry = await store.topology.put({ kind: 'queue', name: 'q', value: {} }, 0);
  return { store, queue: unboundedQueue('q', entry!.number) };
}

function socketPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-remote-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, 'store.sock');
}

async function connect(t: TestContext, options: RemoteDriverOptions): Promise<Driver> {
  const driver = createRemoteDriver(options);
  await driver.open();
  t.after(() => driver.close());
  return driver;
}

/** A store that does what a call says and never answers it. */
function mute(store: Driver, method: 'publish' | 'settle' | 'purge', done: () => void): Driver {
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
  method: 'publish' | 'settle' | 'purge',
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

function hasCode(code: string, retriable: boolean): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StorageError, String(error));
    assert.deepEqual([error.code, error.retriable], [code, retriable], error.message);
    return true;
  };
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
