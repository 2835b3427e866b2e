import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { MessageQueueSystem, StorageInUseError, ValidationError } from '../../../src/index.ts';
import { until } from './connection-fixture.ts';

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-share-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Opens the folder as one more process would; each is a system of its own. */
async function openShared(t: TestContext, storage: string): Promise<MessageQueueSystem> {
  const mq = await MessageQueueSystem.open({ storage, share: true, queues: [{ name: 'q' }] });
  t.after(() => mq.close());
  return mq;
}

function isOwner(mq: MessageQueueSystem): boolean {
  return mq.storage.supports.managed !== true;
}

test('the first owns the folder, the others see the same messages', async (t) => {
  const folder = makeFolder(t);
  const [first, second] = [await openShared(t, folder), await openShared(t, folder)];
  assert.deepEqual([isOwner(first), isOwner(second)], [true, false]);
  assert.equal(second.storage.supports.durability, 'power');
  await second.sendMessage('q', { payload: 'from the second' });
  const delivery = await first.receiveMessage('q', 'c');
  assert.equal(delivery?.payload, 'from the second');
  await second.acknowledgeMessage(delivery.id, 'c');
  assert.equal((await first.getQueueInfo('q')).messageCount, 0);
});

test('only its user may use the socket', async (t) => {
  const folder = makeFolder(t);
  await openShared(t, folder);
  assert.equal(statSync(join(folder, 'store.sock')).mode & 0o777, 0o600);
});

test('a folder whose path is too long for a socket is shared all the same', async (t) => {
  const folder = join(makeFolder(t), 'x'.repeat(120));
  const [first, second] = [await openShared(t, folder), await openShared(t, folder)];
  await second.sendMessage('q', { payload: 1 });
  assert.ok(await first.receiveMessage('q', 'c'));
  await first.close();
  await second.sendMessage('q', { payload: 2 });
  assert.equal((await second.receiveMessage('q', 'c'))?.payload, 2);
});

test('when the owner closes, another goes on where it was: what is due, schedules, consumers', async (t) => {
  const folder = makeFolder(t);
  const [first, second, third] = [
    await openShared(t, folder),
    await openShared(t, folder),
    await openShared(t, folder),
  ];
  const handled: unknown[] = [];
  await third.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: async ({ message }) => void handled.push(message.payload),
  });
  await second.sendMessage('q', { payload: 'delayed', delay: 300 });
  await second.sendMessage('q', { payload: 'expires', delay: 300, ttl: 1 });
  await second.upsertSchedule('every', { every: 1_000, queue: 'q', message: { payload: 'tick' } });
  await first.close();
  await second.sendMessage('q', { payload: 'sent' });
  await until(() => isOwner(second) !== isOwner(third));
  await until(() => ['delayed', 'sent', 'tick'].every((payload) => handled.includes(payload)));
  await until(async () => (await second.getQueueInfo('q')).messageCount <= 1);
});

test('an owner that others cannot join works alone, and lets them in as soon as it can', async (t) => {
  const folder = makeFolder(t);
  const obstacle = join(folder, 'store.sock');
  mkdirSync(obstacle);
  const first = await openShared(t, folder);
  await first.sendMessage('q', { payload: 1 });
  rmdirSync(obstacle);
  const second = await openShared(t, folder);
  assert.equal((await second.receiveMessage('q', 'c'))?.payload, 1);
});

test('a queue that is made by one is known to the others, after a change of owners too', async (t) => {
  const folder = makeFolder(t);
  const [first, second, third] = [
    await openShared(t, folder),
    await openShared(t, folder),
    await openShared(t, folder),
  ];
  await second.createQueue({ name: 'of the second' });
  await until(() => third.listQueues().some(({ name }) => name === 'of the second'));
  await first.close();
  await second.createQueue({ name: 'later' });
  await until(() => third.listQueues().some(({ name }) => name === 'later'));
});

test('a queue that an other process uses is not idle', async (t) => {
  const folder = makeFolder(t);
  const [first, second] = [await openShared(t, folder), await openShared(t, folder)];
  await second.createQueue({ name: 'brief', expiresAfterIdle: 1_000 });
  const consumer = await second.createConsumer({
    id: 'c',
    queueName: 'brief',
    handler: async () => undefined,
  });
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.ok(first.listQueues().some(({ name }) => name === 'brief'));
  await consumer.stop();
  await until(() => !first.listQueues().some(({ name }) => name === 'brief'));
});

test('a folder that is open without share is in use, and the error says what to do', async (t) => {
  const folder = makeFolder(t);
  await openShared(t, folder);
  await assert.rejects(MessageQueueSystem.open({ storage: folder }), (error: Error) => {
    assert.ok(error instanceof StorageInUseError);
    assert.match(error.message, /share: true/);
    return true;
  });
});

test('share is for folders, a token for brokers', async () => {
  for (const config of [
    { storage: 'memory:', share: true },
    { storage: './folder', token: 't' },
    { storage: 'http://user@localhost', token: 't' },
    { storage: 'http://localhost/a/b' },
    { storage: 'unix:' },
  ]) {
    await assert.rejects(MessageQueueSystem.open(config), ValidationError);
  }
});
