import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { after, before, test, type TestContext } from 'node:test';
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

const PATIENCE_MS = 10_000;

/** Another process on the same store. */
class OtherProcess {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #exited: Promise<void>;

  private constructor(prefix: string) {
    const file = fileURLToPath(new URL('other-process.ts', import.meta.url));
    const args = ['--import', 'tsx', file, server.url, prefix];
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout! });
    this.#exited = once(this.#child, 'exit').then(() => undefined);
  }

  /** Resolves when it has the store open; it ends with the test. */
  static async open(t: TestContext, prefix: string): Promise<OtherProcess> {
    const other = new OtherProcess(prefix);
    t.after(() => other.#end());
    await other.#answer();
    return other;
  }

  async do(act: 'send' | 'settle', queue: QueueRef, count: number): Promise<void> {
    const done = this.#answer();
    this.#child.stdin!.write(`${JSON.stringify({ act, queue, count })}\n`);
    await done;
  }

  /** @throws Error when it ends instead */
  async #answer(): Promise<void> {
    const line = once(this.#lines, 'line').then(() => 'answer');
    if ((await Promise.race([line, this.#exited])) === undefined) {
      throw new Error('The other process ended');
    }
  }

  async #end(): Promise<void> {
    this.#child.stdin!.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
    await this.#exited;
    clearTimeout(timer);
  }
}

/** Opens a store that is closed with the test. */
async function openFor(t: TestContext, prefix: string): Promise<Driver> {
  const driver = await openDriver({ url: server.url, prefix });
  t.after(() => driver.close());
  return driver;
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

test('another process tells who waits, once, and nobody when nobody waits', async (t) => {
  const prefix = newPrefix();
  const driver = await openFor(t, prefix);
  const queue = await createQueue(driver, 'q', { maxSize: 100 });
  const other = await OtherProcess.open(t, prefix);
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
});

test('whoever lost the connection for notices looks again', async (t) => {
  const driver = await openFor(t, newPrefix());
  const queue = await createQueue(driver, 'q');
  const news = newsOf(driver, queue);
  driver.notifier.follow!(queue.number);
  await poll(() => news('ready') > 0 && news('room') > 0, 'it follows');
  await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await poll(() => news('ready') > 0 && news('room') > 0, 'it looks again');
});

/** As often as each polls, and a little longer. */
const WINDOW_MS = 5_100;
/** Half of them are the scripts' TIME. */
const PER_SECOND_MAX = 45;
const WINDOWS_MAX = 4;

test('a hundred idle consumers cost some twenty commands per second', async (t) => {
  const own = await startRedis();
  t.after(() => own.stop());
  const mq = await MessageQueueSystem.open({ storage: own.url });
  try {
    await mq.createQueue({ name: 'idle' });
    for (let i = 0; i < 100; i += 1) {
      await mq.consumerManager.createConsumer({
        id: `c${i}`,
        queueName: 'idle',
        handler: async () => undefined,
      });
    }
    const clients = await own.cli('CLIENT', 'LIST');
    assert.equal(clients.split('\n').length, 3, 'two connections, and the one that asks');
    // The first takes of all, or on a busy machine two polls of many, may fall into one window.
    const rates: number[] = [];
    while (rates.length < WINDOWS_MAX && Math.min(...rates) >= PER_SECOND_MAX) {
      rates.push(await rateOf(own));
    }
    assert.ok(Math.min(...rates) < PER_SECOND_MAX, `${rates.join(', ')} commands per second`);
  } finally {
    await mq.close();
  }
});

test('whoever waits for one message asks the server once to be told', async (t) => {
  const mq = await MessageQueueSystem.open({
    storage: `${server.url}?prefix=${newPrefix()}`,
    queues: [{ name: 'q' }],
  });
  t.after(() => mq.close());
  const asked = await commands('subscribe');
  await Promise.all(['a', 'b'].map((id) => mq.receiveMessage('q', id, { waitMs: 500 })));
  const times = (await commands('subscribe')) - asked;
  assert.ok(times <= 2, `${times} times`);
});

/** Commands per second that a server gets from its clients in one window. */
async function rateOf(from: RedisServer): Promise<number> {
  const calls = async (): Promise<number> => {
    const stats = await from.cli('INFO', 'commandstats');
    // What scripts call is counted too, but not sent by anybody.
    const sent = [...stats.matchAll(/cmdstat_(evalsha|eval|ping|subscribe|time):calls=(\d+)/g)];
    return sent.reduce((sum, [, , count]) => sum + Number(count), 0);
  };
  const [callsBefore, begun] = [await calls(), performance.now()];
  await poll(() => performance.now() - begun > WINDOW_MS, 'each has polled');
  return (1_000 * ((await calls()) - callsBefore)) / (performance.now() - begun);
}
