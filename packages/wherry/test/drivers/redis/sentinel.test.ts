import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RedisDriverOptions } from '../../../src/drivers/redis/index.ts';
import { type SentinelGroup, startSentinels } from '../../servers/sentinel.ts';
import { poll } from '../../servers/server-process.ts';
import { bodiesIn, createQueue, openDriver, sendNumbers } from './fixture.ts';

async function startGroup(t: TestContext, options: { tls?: boolean } = {}): Promise<SentinelGroup> {
  const group = await startSentinels(options);
  t.after(() => group.stop());
  return group;
}

function urlOf(scheme: string, { sentinels, name }: SentinelGroup): string {
  return `${scheme}://${sentinels.map(({ host, port }) => `${host}:${port}`).join(',')}/${name}`;
}

/** In these tests, sockets are those of stores. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((what) => /TCP|TLS/.test(what)).length;
}

async function closesInTime(close: Promise<void>): Promise<void> {
  const before = performance.now();
  const late = AbortSignal.timeout(10_000);
  const hung = new Promise<never>((_, reject) => {
    late.addEventListener('abort', () => reject(new Error('It hangs.')), { once: true });
  });
  await Promise.race([close, hung]);
  const took = performance.now() - before;
  assert.ok(took < 3_500, `Closing took ${took} ms.`);
}

test('Sentinels and servers that speak TLS only, also after a failover', async (t) => {
  const group = await startGroup(t, { tls: true });
  const { sentinels, name, master } = group;
  const ways: RedisDriverOptions[] = [
    { url: `${urlOf('rediss-sentinel', group)}?ca=${group.certificateFile}` },
    { sentinel: { nodes: sentinels, name }, connection: { tls: { ca: master.ca! } } },
  ];
  const stores = ways.map(async (way) => {
    const driver = await openDriver({ ...way, waitReplicas: 1 });
    t.after(() => driver.close());
    const queue = await createQueue(driver, 'q');
    await sendNumbers(driver, queue, 0, 3);
    return { driver, queue };
  });
  const opened = await Promise.all(stores);
  await group.failover();
  for (const { driver, queue } of opened) assert.equal((await bodiesIn(driver, queue)).length, 3);
  const untrusting = openDriver({ url: urlOf('rediss-sentinel', group), callTimeout: 3_000 });
  await assert.rejects(untrusting, {
    code: 'STORAGE_UNAVAILABLE',
    message: /its certificate is trusted/,
  });
  const plain = openDriver({ url: urlOf('redis-sentinel', group), callTimeout: 3_000 });
  await assert.rejects(plain, { code: 'STORAGE_UNAVAILABLE' });
});

test('rediss-sentinel does not speak to Sentinels in plain text', async (t) => {
  const group = await startGroup(t);
  await assert.rejects(openDriver({ url: urlOf('rediss-sentinel', group), callTimeout: 6_000 }), {
    code: 'STORAGE_UNAVAILABLE',
    message: /with rediss that it speaks TLS/,
  });
});

for (const isHung of [false, true]) {
  const what = isHung ? 'servers and Sentinels hang' : 'servers and Sentinels are gone';
  test(`a store closes when its ${what}, and leaves no socket`, async (t) => {
    const sockets = openSockets();
    const group = await startGroup(t);
    const driver = await openDriver({ sentinel: { nodes: group.sentinels, name: group.name } });
    const queue = await createQueue(driver, 'q');
    await sendNumbers(driver, queue, 0, 1);
    if (isHung) group.pause();
    else await group.stop();
    await closesInTime(driver.close());
    // What a Sentinel does not take leave of, the client library ends after two seconds.
    await poll(() => openSockets() === sockets, 'no socket is left');
  });
}
