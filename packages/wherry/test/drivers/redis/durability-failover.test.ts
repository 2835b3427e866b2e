/** What is lost when a replica takes over: the table in docs/redis.md, row by row. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Driver } from '../../../src/core/driver.ts';
import { type RedisServer, startRedis } from '../../servers/redis.ts';
import { type SentinelGroup, startSentinels } from '../../servers/sentinel.ts';
import { poll } from '../../servers/server-process.ts';
import { bodiesIn, createQueue, openDriver, send, sendNumbers, take } from './fixture.ts';

/** A driver on a group of its own, closed before the group ends. */
async function openGroup(
  t: TestContext,
  config: Record<string, number> = {},
  options: { readonly waitReplicas?: number; readonly callTimeout?: number } = {},
): Promise<{ readonly group: SentinelGroup; readonly driver: Driver }> {
  const group = await startSentinels({ config });
  const { sentinels, name } = group;
  const opening = openDriver({ sentinel: { nodes: sentinels, name }, ...options });
  t.after(async () => {
    await opening.then((driver) => driver.close()).catch(() => undefined);
    await group.stop();
  });
  const driver = await opening;
  return { group, driver };
}

/** The replica hears nothing more of its primary, which does not mind. */
async function cutReplication({ master, replica }: SentinelGroup): Promise<void> {
  await poll(async () => {
    const [own, other] = await Promise.all([offsetOf(master), offsetOf(replica)]);
    return own === other;
  }, 'the replica has everything');
  await replica.cli('CONFIG', 'SET', 'masterauth', 'not-the-password');
  await replica.cli('CLIENT', 'KILL', 'TYPE', 'master');
  const info = (): Promise<string> => master.cli('INFO', 'replication');
  await poll(async () => (await info()).includes('connected_slaves:0'), 'the replica is cut off');
}

async function offsetOf(server: RedisServer): Promise<string> {
  const info = await server.cli('INFO', 'replication');
  return /(?:slave_repl_offset|master_repl_offset):(\d+)/.exec(info)![1]!;
}

/** The primary dies, and the Sentinels promote the replica. */
async function failOver(group: SentinelGroup): Promise<void> {
  const { master, replica } = group;
  await master.kill();
  await group.untilMaster(replica);
}

describe('a failover by Sentinels', { concurrency: true }, () => {
  test('without waitReplicas: what the replica had not got is lost, without a word', async (t) => {
    const { group, driver } = await openGroup(t);
    const queue = await createQueue(driver, 'q');
    const copied = await sendNumbers(driver, queue, 0, 10);
    await cutReplication(group);
    await sendNumbers(driver, queue, 10, 7);
    await failOver(group);
    assert.deepEqual(await bodiesIn(driver, queue), copied);
    assert.equal((await send(driver, [queue], 'afterwards')).status, 'stored');
    assert.equal((await take(driver, queue)).length, 11);
  });

  test('with waitReplicas: what the replica had not got was not confirmed', async (t) => {
    const { group, driver } = await openGroup(t, {}, { waitReplicas: 1, callTimeout: 1_000 });
    const queue = await createQueue(driver, 'q');
    const confirmed = await sendNumbers(driver, queue, 0, 10);
    await cutReplication(group);
    const refused = { code: 'STORAGE_REPLICAS', retriable: true };
    await assert.rejects(send(driver, [queue], 'unknown'), refused);
    // It was made at the primary: as long as that lives, it is there.
    assert.deepEqual(await bodiesIn(driver, queue), [...confirmed, 'unknown']);
    await failOver(group);
    assert.deepEqual(await bodiesIn(driver, queue), confirmed);
    // The new primary has no replica yet, so that nothing is confirmed.
    await assert.rejects(send(driver, [queue], 'alone'), { retriable: true });
  });

  test('min-replicas-to-write: a primary that is cut off confirms nothing more', async (t) => {
    const config = { 'min-replicas-to-write': 1, 'min-replicas-max-lag': 1 };
    const { group, driver } = await openGroup(t, config, { callTimeout: 500 });
    const queue = await createQueue(driver, 'q');
    const copied = await sendNumbers(driver, queue, 0, 10);
    await cutReplication(group);
    const refused = { code: 'STORAGE_REPLICAS', retriable: true };
    await assert.rejects(send(driver, [queue], 'refused'), refused);
    await assert.rejects(take(driver, queue), refused);
    assert.deepEqual(await bodiesIn(driver, queue), copied, 'nothing was changed');
    await group.replica.cli('CONFIG', 'SET', 'masterauth', '');
    await group.untilReady();
    await poll(async () => (await sendAgain(driver, queue)) === 'stored', 'it goes on');
  });

  test('min-replicas-to-write alone lets through what a replica has not got yet', async (t) => {
    const server = await startRedis({
      config: { 'min-replicas-to-write': 1, 'min-replicas-max-lag': 10 },
    });
    const config = { replicaof: `127.0.0.1 ${server.port}` };
    const replica = await startRedis({ config });
    t.after(() => Promise.all([server.stop(), replica.stop()]));
    const link = (): Promise<string> => replica.cli('INFO', 'replication');
    await poll(async () => (await link()).includes('link_status:up'), 'the replica is there');
    const driver = await openDriver({ url: server.url });
    t.after(() => driver.close());
    const queue = await createQueue(driver, 'q');
    replica.pause();
    assert.equal((await send(driver, [queue], 'only here')).status, 'stored');
  });
});

async function sendAgain(driver: Driver, queue: Parameters<typeof send>[1][number]) {
  return send(driver, [queue], 'again').then(
    ({ status }) => status,
    ({ code }) => code as string,
  );
}
