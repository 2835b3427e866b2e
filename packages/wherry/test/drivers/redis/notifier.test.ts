import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MessageQueueSystem } from '../../../src/index.ts';
import type { Driver, QueueRef } from '../../../src/core/driver.ts';
import { type RedisServer, startRedis } from '../../servers/redis.ts';
import { poll } from '../../servers/server-process.ts';
import { createQueue, newPrefix, openDriver, send, take } from './fixture.ts';

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

/** Another process on the same store. */
class OtherProcess {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  constructor(prefix: string) {
    const file = fileURLToPath(new URL('other-process.ts', import.meta.url));
    const args = ['--import', 'tsx', file, server.url, prefix];
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout! });
  }

  async open(): Promise<void> {
    await once(this.#lines, 'line');
  }

  async do(act: 'send' | 'settle', queue: QueueRef, count: number): Promise<void> {
    const done = once(this.#lines, 'line');
    this.#child.stdin!.write(`${JSON.stringify({ act, queue, count })}\n`);
    await done;
  }

  async end(): Promise<void> {
    this.#child.stdin!.end();
    await once(this.#child, 'exit');
  }
}

/** What the driver's listeners were told of a queue since the last look. */
function newsOf(driver: Driver, queue: QueueRef): (what: string) => number {
  let told: string[] = [];
  driver.notifier.subscribe((number, what) => {
    if (number === queue.number) told.push(what);
  });
  return (what) => {
    const count = told.filter((one) => one === what).length;
    told = told.filter((one) => one !== what);
    return count;
  };
}

async function commands(name: string): Promise<number> {
  const stats = await server.cli('INFO', 'commandstats');
  return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

test('another process tells who waits, once, and nobody when nobody waits', async () => {
  const prefix = newPrefix();
  const driver = await openDriver({ url: server.url, prefix });
  const queue = await createQueue(driver, 'q', { maxSize: 100 });
  const other = new OtherProcess(prefix);
  await other.open();
  const news = newsOf(driver, queue);
  const stop = driver.notifier.follow!(queue.number);
  await poll(() => news('ready') > 0 && news('room') > 0, 'it looks when it begins to follow');

  const told = await commands('publish');
  await other.do('send', queue, 50);
  await poll(() => news('ready') > 0, 'ready is told');
  assert.equal((await commands('publish')) - told, 1, 'the others were not told');

  assert.equal((await take(driver, queue)).length, 50);
  assert.equal((await take(driver, queue)).length, 0, 'and it waits again');
  await other.do('send', queue, 1);
  await poll(() => news('ready') > 0, 'ready is told again');

  await other.do('send', queue, 49);
  news('room');
  assert.equal((await send(driver, [queue], 'full')).status, 'full');
  await other.do('settle', queue, 10);
  await poll(() => news('room') > 0, 'room is told');

  stop();
  await take(driver, queue);
  await take(driver, queue);
  await other.do('send', queue, 1);
  await driver.now();
  assert.equal(news('ready'), 0, 'it does not follow any more');
  await other.end();
  await driver.close();
});

test('whoever lost the connection for notices looks again', async () => {
  const driver = await openDriver({ url: server.url });
  const queue = await createQueue(driver, 'q');
  const news = newsOf(driver, queue);
  driver.notifier.follow!(queue.number);
  await poll(() => news('ready') > 0, 'it follows');
  await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await poll(() => news('ready') > 0 && news('room') > 0, 'it looks again');
  await driver.close();
});

test('a hundred idle consumers cost some twenty commands per second', async () => {
  const own = await startRedis();
  const mq = await MessageQueueSystem.open({ storage: own.url });
  await mq.createQueue({ name: 'idle' });
  for (let i = 0; i < 100; i += 1) {
    await mq.consumerManager.createConsumer({
      id: `c${i}`,
      queueName: 'idle',
      handler: async () => undefined,
    });
  }
  const calls = async (): Promise<number> => {
    const stats = await own.cli('INFO', 'commandstats');
    // What scripts call is counted too, but not sent by anybody.
    const sent = [...stats.matchAll(/cmdstat_(evalsha|eval|ping|subscribe|time):calls=(\d+)/g)];
    return sent.reduce((sum, [, , count]) => sum + Number(count), 0);
  };
  const clients = await own.cli('CLIENT', 'LIST');
  assert.equal(clients.split('\n').length, 3, 'two connections, and the one that asks');
  const [from, begun] = [await calls(), performance.now()];
  await poll(() => performance.now() - begun > 5_100, 'each has polled');
  const perSecond = (1_000 * ((await calls()) - from)) / (performance.now() - begun);
  assert.ok(perSecond < 45, `${perSecond} commands per second (half of them the scripts' TIME)`);
  await mq.close();
  await own.stop();
});
