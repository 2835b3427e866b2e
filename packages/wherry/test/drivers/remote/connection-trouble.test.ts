import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Driver } from '../../../src/core/driver.ts';
import type { Channel } from '../../../src/drivers/remote/channel.ts';
import { connectSocket } from '../../../src/drivers/remote/connect-socket.ts';
import { createDriverOver } from '../../../src/drivers/remote/index.ts';
import { newMessage } from '../../../src/testing/suite/fixture.ts';
import { hasCode, openStore, socketPath, withinTime } from './connection-fixture.ts';
import { hostAt } from './hosted.ts';

test('a process that the store has come to sweeps it, whether or not others can join', async (t) => {
  const { store } = await openStore(t);
  const path = socketPath(t);
  const first = await hostAt(path, store);
  const here = new Proxy(store, {
    get: (_, key: keyof Driver) => {
      if (key === 'entrust') return () => assert.fail('nobody can join');
      const value: unknown = store[key];
      return typeof value === 'function' ? value.bind(store) : value;
    },
  });
  let isHere = false;
  const remote = createDriverOver('here', async (signal) =>
    isHere ? here : connectSocket(path, signal),
  );
  await remote.open();
  t.after(() => remote.close());
  const began = new Promise<void>((resolve) => {
    remote.entrust?.({
      begin: resolve,
      expectWithin: () => undefined,
      expectPublished: () => undefined,
      expectMoved: () => undefined,
      used: () => undefined,
      askForUse: () => () => undefined,
    });
  });
  isHere = true;
  await first.kill();
  assert.equal(await withinTime(began), 'in time');
});

test('a call over a slow connection takes its time, and is not begun again and again', async (t) => {
  const { store, queue } = await openStore(t);
  const path = socketPath(t);
  const hosted = await hostAt(path, store);
  t.after(() => hosted.kill());
  let connections = 0;
  const slow = async (signal: AbortSignal): Promise<Channel> => {
    const channel = await connectSocket(path, signal);
    connections += 1;
    const send = channel.send.bind(channel);
    let waiting = Buffer.alloc(0);
    const timer = setInterval(() => {
      if (waiting.length > 0) send(waiting.subarray(0, 20_000));
      waiting = waiting.subarray(20_000);
    }, 10);
    t.after(() => clearInterval(timer));
    channel.send = (bytes) => (waiting = Buffer.concat([waiting, bytes]));
    return channel;
  };
  const remote = createDriverOver('slow', slow, { connectTimeout: 200, heartbeat: 50 });
  await remote.open();
  const message = { ...newMessage('a'), body: 'x'.repeat(1_000_000), bytes: 1_000_000 };
  const sent = remote.publish([{ targets: [queue], message }]);
  assert.equal(await withinTime(sent), 'in time');
  assert.equal((await sent)[0]?.status, 'stored');
  assert.equal(connections, 1);
  await remote.close();
});

test('a call that no host ever gets fails in time, though there are hosts again and again', async (t) => {
  const { store, queue } = await openStore(t);
  const path = socketPath(t);
  const hosted = await hostAt(path, store);
  t.after(() => hosted.kill());
  const connectBriefly = async (signal: AbortSignal): Promise<Channel> => {
    const channel = await connectSocket(path, signal);
    const send = channel.send.bind(channel);
    // Large frames are lost with their connection.
    channel.send = (bytes) => {
      if (bytes.length < 100_000) send(bytes);
      else setTimeout(() => channel.destroy(), 20);
    };
    return channel;
  };
  const remote = createDriverOver('brief', connectBriefly, { connectTimeout: 300 });
  await remote.open();
  const message = { ...newMessage('a'), body: 'x'.repeat(200_000), bytes: 200_000 };
  const sent = remote.publish([{ targets: [queue], message }]);
  assert.equal(await withinTime(sent), 'in time');
  await assert.rejects(sent, hasCode('STORAGE_CONNECTION', true));
  await remote.close();
});
