import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import type { Driver, Housekeeper } from '../../../src/core/driver.ts';
import { MessageQueueError, type StorageError } from '../../../src/core/errors.ts';
import type { Channel } from '../../../src/drivers/remote/channel.ts';
import {
  createDriverOver,
  createRemoteDriver,
  hostStore,
  StoreHost,
} from '../../../src/drivers/remote/index.ts';
import { FRAME, frameOf, hello, MAGIC } from '../../../src/drivers/remote/wire/frames.ts';
import { MessageQueueSystem } from '../../../src/index.ts';
import { newMessage } from '../../../src/testing/suite/fixture.ts';
import { connect, openStore, serve, until } from './connection-fixture.ts';
import type { Hosted } from './hosted.ts';

const TAKE = { consumerId: 'c', max: 10, leaseDuration: 30_000, perGroup: 1 };

async function rawSocket(t: TestContext, { url }: Hosted): Promise<Socket> {
  const socket = connectTcp(url.slice('unix:'.length));
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

test('who sends what is no hello, or no frame, is cut, and others are served', async (t) => {
  const { store } = await openStore(t);
  const hosted = await serve(t, store);
  const good = await connect(t, hosted);
  for (const bytes of [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.alloc(64, 255),
    frameOf(FRAME.data, hello, helloOf(1)),
    Buffer.concat([frameOf(FRAME.hello, hello, helloOf(1)), randomBytes(2_000)]),
  ]) {
    const socket = await rawSocket(t, hosted);
    socket.resume();
    socket.write(bytes);
    await once(socket, 'close');
  }
  assert.ok((await good.now()) > 0);
  assert.equal(hosted.host.clients().length, 1);
});

function helloOf(version: number) {
  const session = randomBytes(16).toString('hex');
  return { magic: MAGIC, version, session, received: null, heartbeat: 1_000 };
}

test('another version of the protocol is refused with the reason', async (t) => {
  const { store } = await openStore(t);
  const socket = await rawSocket(t, await serve(t, store));
  socket.write(frameOf(FRAME.hello, hello, helloOf(99)));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /version 2 of the protocol, the program version 99/);
});

test('one client too many is refused, and may come back later', async (t) => {
  const { store } = await openStore(t);
  const hosted = await serve(t, store, { limits: { clients: 1 } });
  const first = await connect(t, hosted);
  const second = createRemoteDriver({ url: hosted.url, connectTimeout: 200 });
  await assert.rejects(second.open(), (error: StorageError) => {
    assert.equal(error.retriable, true);
    assert.match(error.message, /serves 1 clients, its limit/);
    return true;
  });
  await first.close();
  await connect(t, hosted);
});

test('a call that is too large is refused by name, and the next one is not', async (t) => {
  const { store, queue } = await openStore(t);
  const remote = await connect(t, await serve(t, store, { limits: { frameBytes: 10_000 } }));
  const large = { targets: [queue], message: newMessage('x'.repeat(20_000)) };
  await assert.rejects(remote.publish([large]), { code: 'STORAGE_TOO_LARGE', retriable: false });
  const small = { targets: [queue], message: newMessage('x') };
  assert.equal((await remote.publish([small]))[0]?.status, 'stored');
});

test('many large messages come in several answers, in order', async (t) => {
  const { store, queue } = await openStore(t);
  const remote = await connect(t, await serve(t, store));
  const body = 'x'.repeat(6 * 1024 * 1024);
  const items = [0, 1, 2, 3].map((i) => ({ targets: [queue], message: newMessage(`${i}${body}`) }));
  await remote.publish(items);
  const taken: string[] = [];
  for (let calls = 0; taken.length < 4; calls += 1) {
    assert.ok(calls < 4);
    const { messages } = await remote.take({ ...TAKE, queue, bound: false });
    assert.ok(messages.length <= 2);
    taken.push(...messages.map((message) => (message.body as string)[0]!));
  }
  assert.deepEqual(taken, ['0', '1', '2', '3']);
  const page = await remote.browse({ queue, state: 'leased', limit: 4 });
  assert.equal(page.messages.length, 2);
  const rest = await remote.browse({ queue, state: 'leased', limit: 4, cursor: page.cursor! });
  assert.equal(rest.messages.length, 2);
});

test('a client that has too much under way is made to wait, and then goes on', async (t) => {
  const { store, queue } = await openStore(t);
  let underWay = 0;
  let most = 0;
  const open: (() => void)[] = [];
  const slow = new Proxy(store, {
    get: (_, key: keyof Driver) => {
      const value: unknown = store[key];
      if (typeof value !== 'function') return value;
      if (key !== 'counts') return value.bind(store);
      return async (...args: unknown[]) => {
        underWay += 1;
        most = Math.max(most, underWay);
        await new Promise<void>((resolve) => open.push(resolve));
        underWay -= 1;
        return Reflect.apply(value, store, args) as unknown;
      };
    },
  });
  const remote = await connect(t, await serve(t, slow, { limits: { callsPerClient: 2 } }));
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < 10; i += 1) {
    calls.push(remote.counts(queue));
    // A turn each, so that they are read one by one.
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(underWay >= 2 && underWay <= 4, `${underWay} are under way`);
  for (let done = 0; done < 10; done += 1) {
    await until(() => open.length > 0);
    open.shift()!();
  }
  await Promise.all(calls);
  assert.ok(most < 10, `${most} were under way at once`);
});

test('what a process had in its hands is free at once when it is dead', async (t) => {
  const { store, queue } = await openStore(t);
  const expected: number[] = [];
  const housekeeper: Housekeeper = {
    begin: () => undefined,
    expectWithin: (ms) => expected.push(ms),
    expectPublished: () => undefined,
    expectMoved: () => undefined,
    used: () => undefined,
    askForUse: () => () => undefined,
  };
  const host = new StoreHost({ driver: store, housekeeper });
  t.after(() => host.close());
  let channel: Channel | null = null;
  const [mine, theirs] = channelPair();
  const dying = createDriverOver(
    'test',
    async () => {
      if (channel !== null) throw new Error('dead');
      host.accept(theirs, { isLocal: true });
      return (channel = mine);
    },
    { connectTimeout: 100 },
  );
  await dying.open();
  await dying.publish(['a', 'b'].map((text) => ({ targets: [queue], message: newMessage(text) })));
  await dying.take({ ...TAKE, queue, max: 1, bound: true });
  await dying.take({ ...TAKE, queue, max: 1, bound: false, consumerId: 'by hand' });
  mine.destroy();
  // What a caller took by hand, another process may settle: it goes on until its time.
  await until(async () => (await store.sweep(10)).messages.length === 1);
  assert.ok(expected.includes(1), 'the sweeper was told');
  assert.equal((await store.counts(queue)).leased, 2);
  await dying.close();
});

/** Two ends of a channel in this process. */
function channelPair(): [Channel, Channel] {
  const make = (): Channel => ({
    send: () => undefined,
    close: () => undefined,
    destroy: () => undefined,
    pause: () => undefined,
    resume: () => undefined,
    bufferedAmount: 0,
    onBytes: () => undefined,
    onClose: () => undefined,
  });
  const [a, b] = [make(), make()];
  let isOpen = true;
  const end = (): void => {
    if (!isOpen) return;
    isOpen = false;
    setImmediate(() => [a, b].forEach((one) => one.onClose()));
  };
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.send = (bytes) => void setImmediate(() => isOpen && to.onBytes(bytes));
    from.close = end;
    from.destroy = end;
  }
  return [a, b];
}

test('the system that serves sweeps for its clients, in time', async (t) => {
  const mq = await MessageQueueSystem.open({ queues: [{ name: 'q' }] });
  t.after(() => mq.close());
  const host = hostStore(mq);
  t.after(() => host.close());
  const [mine, theirs] = channelPair();
  host.accept(theirs, { client: 'test' });
  const client = await MessageQueueSystem.open({
    storage: createDriverOver('test', async () => mine),
  });
  t.after(() => client.close());
  assert.equal(client.storage.supports.managed, true);
  await client.sendMessage('q', { payload: 'brief', ttl: 50 });
  await client.sendMessage('q', { payload: 'taken' });
  const [, taken] = await client.receiveMessage('q', 'c', { max: 2, leaseDuration: 100 });
  assert.ok(taken);
  await until(async () => {
    const { ready, leased } = await mq.getQueueInfo('q').then(stateOf);
    return ready <= 1 && leased === 0;
  });
  assert.equal(host.clients()[0]?.client, 'test');
});

function stateOf(info: object): { ready: number; leased: number } {
  return info as { ready: number; leased: number };
}

test('a client sees and does what it may, no more', async (t) => {
  const { store, queue } = await openStore(t);
  await store.topology.put({ kind: 'user', name: 'ada', value: { password: 'hash' } }, 0);
  const host = new StoreHost({ driver: store, hiddenKinds: ['user'] });
  t.after(() => host.close());
  const [mine, theirs] = channelPair();
  const asked: string[] = [];
  host.accept(theirs, {
    authorize: (method, names) => {
      asked.push(`${method} ${names.join(',')}`);
      if (method === 'purge') throw new MessageQueueError('FORBIDDEN', 'You may not purge.');
    },
  });
  const remote = createDriverOver('test', async () => mine);
  await remote.open();
  t.after(() => remote.close());
  const changes: unknown[] = [];
  remote.topology.watch((change) => changes.push(change));
  const entries = await remote.topology.load();
  assert.deepEqual(
    entries.map(({ kind }) => kind),
    ['queue'],
  );
  const user = { kind: 'user', name: 'eve', value: { admin: true } };
  await assert.rejects(remote.topology.put(user, 0), { code: 'FORBIDDEN' });
  await assert.rejects(remote.topology.remove('user', 'ada', 1), { code: 'FORBIDDEN' });
  await assert.rejects(remote.purge(queue), { code: 'FORBIDDEN' });
  await store.topology.put({ kind: 'user', name: 'ada', value: {} }, 1);
  await store.topology.put({ kind: 'exchange', name: 'x', value: {} }, 0);
  await until(() => changes.length > 0);
  assert.doesNotMatch(JSON.stringify(changes), /ada/);
  assert.ok(asked.includes('topology.put user/eve') && asked.includes('purge q'), String(asked));
});
