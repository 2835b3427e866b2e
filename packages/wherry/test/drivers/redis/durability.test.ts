/** What is lost of what was confirmed when a server ends: the table in docs/redis.md, row by row. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Driver, QueueRef } from '../../../src/core/driver.ts';
import { examineRedis } from '../../../src/drivers/redis/doctor.ts';
import { straceRunning } from '../../faults/strace.ts';
import { type RedisServer, startRedis } from '../../servers/redis.ts';
import { poll } from '../../servers/server-process.ts';
import { bodiesIn, createQueue, openDriver, receipts, send, sendNumbers, take } from './fixture.ts';

const PREFIX = 'app';

interface Started {
  readonly server: RedisServer;
  readonly driver: Driver;
  readonly queue: QueueRef;
}

/** A server with a store on it, and a queue in that. */
async function start(t: TestContext, config: Record<string, string>): Promise<Started> {
  const server = await startRedis({ config });
  t.after(() => server.stop());
  const driver = await openDriver({ url: server.url, prefix: PREFIX });
  t.after(() => driver.close());
  return { server, driver, queue: await createQueue(driver, 'q') };
}

/** What the driver says, once it has its server again. */
async function afterwards({ driver, queue }: Started): Promise<readonly string[]> {
  return bodiesIn(driver, queue);
}

describe('a server killed and restarted', () => {
  const policies = {
    always: 'appendfsync always: a kill loses nothing',
    everysec: 'appendfsync everysec: a kill loses nothing',
    no: 'appendfsync no: a kill loses nothing',
  };
  for (const [appendfsync, title] of Object.entries(policies)) {
    test(title, async (t) => {
      const started = await start(t, { appendfsync });
      const { server, driver, queue } = started;
      const sent = await sendNumbers(driver, queue, 0, 200);
      const held = receipts(queue, await take(driver, queue, 50));
      assert.deepEqual(await driver.settle(held.slice(0, 40)), []);
      // With the last answer the server dies.
      await server.kill();
      await server.restart();
      assert.deepEqual(await afterwards(started), sent.slice(50));
      const counts = await driver.counts(queue);
      assert.deepEqual([counts.ready, counts.leased], [150, 10]);
      assert.deepEqual(await driver.settle(held.slice(40)), [], 'leases survive too');
    });
  }

  test('without file and snapshots, everything is lost when the server ends', async (t) => {
    const { server, driver, queue } = await start(t, { appendonly: 'no', save: '""' });
    await sendNumbers(driver, queue, 0, 20);
    await server.kill();
    await server.restart();
    await poll(async () => (await driver.topology.load()).length === 0, 'the store is empty');
    assert.equal(await server.cli('EXISTS', `${PREFIX}:{q${queue.number}}:s:0`), '0');
  });

  test('with snapshots, what came after the last one is lost when the server is killed', async (t) => {
    const started = await start(t, { appendonly: 'no', save: '"3600 1"' });
    const { server, driver, queue } = started;
    const saved = await sendNumbers(driver, queue, 0, 20);
    await server.cli('SAVE');
    await sendNumbers(driver, queue, 20, 15);
    await server.kill();
    await server.restart();
    assert.deepEqual(await afterwards(started), saved);
  });

  test('with snapshots, nothing is lost when the server is stopped in good order', async (t) => {
    const started = await start(t, { appendonly: 'no', save: '"3600 1"' });
    const sent = await sendNumbers(started.driver, started.queue, 0, 20);
    await started.server.restart();
    assert.deepEqual(await afterwards(started), sent);
  });
});

describe('a power cut', () => {
  test('appendfsync always: each answer comes after the sync of what it confirms', async (t) => {
    const { answers, early } = await watchSyncs(t, 'always');
    assert.ok(answers >= 50, `${answers} answers after a write`);
    assert.equal(early, 0);
  });

  test('appendfsync everysec: answers come before the sync', async (t) => {
    const { answers, early } = await watchSyncs(t, 'everysec');
    assert.ok(early > answers / 2, `${early} of ${answers}`);
  });

  test('of a file that lost its end, what is left is a beginning, and nothing is half done', async (t) => {
    const { server, driver, queue } = await start(t, { appendfsync: 'everysec' });
    const dead = await createQueue(driver, 'dead');
    const sent = await sendNumbers(driver, queue, 0, 60);
    const held = receipts(queue, await take(driver, queue, 30));
    for (const receipt of held) await driver.move([{ receipt, targets: [dead] }]);
    for (let round = 0; round < 8; round += 1) {
      await server.kill();
      const file = appendOnlyFile(server);
      truncateSync(file, Math.floor(statSync(file).size * (0.97 - round * 0.013)));
      await server.restart();
      const left = await bodiesIn(driver, queue);
      const { leased } = await driver.counts(queue);
      const moved = await bodiesIn(driver, dead);
      // Until the take itself is lost, every message is in exactly one of the queues.
      if (leased + moved.length > 0) {
        assert.deepEqual(moved, sent.slice(0, moved.length));
        assert.deepEqual([leased + moved.length, left], [30, sent.slice(30)]);
      } else assert.deepEqual(left, sent.slice(0, left.length));
      const { problems } = await examineRedis({ url: server.url, prefix: PREFIX });
      assert.deepEqual(problems, []);
    }
    assert.ok((await bodiesIn(driver, dead)).length < 30, 'something was lost');
  });
});

describe('the disk under the append-only file is full', () => {
  test('appendfsync everysec: what came in that moment is confirmed, then all is refused', async (t) => {
    const started = await start(t, { appendfsync: 'everysec' });
    const { server, driver, queue } = started;
    const written = await sendNumbers(driver, queue, 0, 5);
    const makeRoom = await fillDisk(t, server);
    assert.equal((await send(driver, [queue], 'in that moment')).status, 'stored');
    await assert.rejects(send(driver, [queue], 'refused'), { code: 'STORAGE_FAILED' });
    await server.kill();
    await makeRoom();
    await server.restart();
    assert.deepEqual(await afterwards(started), written);
  });

  test('appendfsync always: the server ends itself instead of confirming', async (t) => {
    const started = await start(t, { appendfsync: 'always' });
    const { server, driver, queue } = started;
    const written = await sendNumbers(driver, queue, 0, 5);
    await fillDisk(t, server);
    const sent = send(driver, [queue], 'unknown');
    await poll(() => !server.isRunning, 'it ended');
    await server.restart();
    // The call was sent again, under its id, to the server that came back.
    assert.equal((await sent).status, 'stored');
    assert.deepEqual(await afterwards(started), [...written, 'unknown']);
  });
});

/** Every write to the append-only file fails for want of room. @returns what ends that */
async function fillDisk(t: TestContext, server: RedisServer): Promise<() => Promise<void>> {
  const calls = 'inject=write:error=ENOSPC';
  return trace(t, server, ['-P', appendOnlyFile(server), '-e', calls, '-o', '/dev/null']);
}

function appendOnlyFile({ folder }: RedisServer): string {
  return join(folder, 'appendonlydir', 'appendonly.aof.1.incr.aof');
}

/** Watches a server's system calls. @returns once it does; what ends that */
async function trace(
  t: TestContext,
  { pid }: RedisServer,
  options: readonly string[],
): Promise<() => Promise<void>> {
  const calls = ['-e', 'trace=write,writev,fdatasync,fsync'];
  const [program, ...words] = straceRunning(pid, [...calls, ...options]);
  const strace = spawn(program!, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(strace, 'exit');
  t.after(() => strace.kill('SIGKILL'));
  await once(strace.stderr, 'data');
  return async () => {
    strace.kill('SIGTERM');
    await ended;
  };
}

interface Watched {
  /** Answers to calls that wrote. */
  readonly answers: number;
  /** Those of them that went out before the file was synced. */
  readonly early: number;
}

/** Sends and settles, one at a time, while the server's system calls are watched. */
async function watchSyncs(t: TestContext, appendfsync: string): Promise<Watched> {
  const { server, driver, queue } = await start(t, { appendfsync });
  const log = join(server.folder, 'calls');
  const end = await trace(t, server, ['-y', '-o', log]);
  await sendNumbers(driver, queue, 0, 30);
  for (const message of await take(driver, queue, 30)) {
    assert.deepEqual(await driver.settle(receipts(queue, [message])), []);
  }
  await end();
  return readCalls(readFileSync(log, 'utf8'));
}

function readCalls(log: string): Watched {
  let isDirty = false;
  let hasWritten = false;
  let [answers, early] = [0, 0];
  for (const line of log.split('\n')) {
    if (/ write\(\d+<[^>]*\.aof>/.test(line)) [isDirty, hasWritten] = [true, true];
    // A call that was interrupted by another thread's is told of when it ends.
    else if (/f(?:data)?sync(?:\(\d+<[^>]*\.aof>\)| resumed>\)) += 0$/.test(line)) isDirty = false;
    else if (hasWritten && / writev?\(\d+<socket:/.test(line)) {
      answers += 1;
      if (isDirty) early += 1;
      hasWritten = false;
    }
  }
  return { answers, early };
}

test('a store that is emptied: what waits is gone, and within seconds its queues are too', async (t) => {
  const started = await start(t, {});
  const { server, driver, queue } = started;
  await sendNumbers(driver, queue, 0, 20);
  const removed: string[] = [];
  driver.topology.watch((change) => {
    if (change.type === 'removed') removed.push(change.name);
  });
  await server.cli('FLUSHALL');
  assert.deepEqual(await afterwards(started), []);
  // The queue is only known here: a send goes where no other process looks for it.
  assert.equal((await send(driver, [queue], 'astray')).status, 'stored');
  await poll(() => removed.includes('q'), 'the loss is noticed', 12_000);
  assert.deepEqual(await driver.topology.load(), []);
});
