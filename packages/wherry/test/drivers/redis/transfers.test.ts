import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster } from 'ioredis';
import type { Clock } from '../../../src/core/clock.ts';
import type { Driver, PublishOutcome, QueueRef } from '../../../src/core/driver.ts';
import type { MessageState } from '../../../src/core/message.ts';
import { moveInCluster } from '../../../src/drivers/redis/cluster/move.ts';
import { publishInCluster } from '../../../src/drivers/redis/cluster/publish.ts';
import { readOptions } from '../../../src/drivers/redis/options.ts';
import { ServerStore } from '../../../src/drivers/redis/server-store.ts';
import type { RedisStore } from '../../../src/drivers/redis/store.ts';
import { type RedisCluster, startRedisCluster } from '../../servers/redis-cluster.ts';
import { createQueue, newMessage, openDriver, receipts, send, take } from './fixture.ts';

/** After so long, whoever sweeps takes transfers for abandoned, and looks into all queues. */
const LATER_MS = 300_000;

const STATES: readonly MessageState[] = ['ready', 'scheduled', 'leased'];

let cluster: RedisCluster;
let nodes: { host: string; port: number }[];
/** The process that is interrupted. */
let store: ServerStore;
let driver: Driver;
/** Another one, later. */
let sweeper: Driver;
let later = 0;
let client: Cluster;

before(async () => {
  cluster = await startRedisCluster({ replicasPerMaster: 0 });
  nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  store = new ServerStore(readOptions({ cluster: nodes, prefix: 'transfers' }));
  await store.open();
  driver = await openDriver({ cluster: nodes, prefix: 'transfers' });
  const clock: Clock = {
    now: () => Date.now() + later,
    setTimer: () => ({ cancel: () => undefined }),
  };
  sweeper = await openDriver({ cluster: nodes, prefix: 'transfers', clock });
  client = new Cluster(nodes);
});
after(async () => {
  for (const one of [store, driver, sweeper]) await one.close();
  client.disconnect();
  await cluster.stop();
});

/** A store whose calls stop to arrive, as those of a process that was killed or suspended. */
class Interrupted implements RedisStore {
  readonly salt: number = store.salt;
  readonly isOnePlace: boolean = false;
  /** How many calls it was asked for. */
  calls = 0;
  /** How many are on their way. */
  underWay = 0;
  readonly #last: number;
  readonly #resumed: Promise<void>;

  /** @param last the last call that arrives, until `resumed` */
  constructor(last: number, resumed: Promise<void>) {
    this.#last = last;
    this.#resumed = resumed;
  }

  async run(...call: Parameters<RedisStore['run']>): Promise<unknown> {
    this.calls += 1;
    if (this.calls > this.#last) await this.#resumed;
    this.underWay += 1;
    return store.run(...call).finally(() => (this.underWay -= 1));
  }

  /** It dies before it can note what is due. */
  tell(): void {}

  queueNumbers(): Promise<readonly number[]> {
    return store.queueNumbers();
  }
}

/** Something that is under way. */
class Acting {
  isOver = false;
  readonly result: Promise<PromiseSettledResult<unknown>>;

  constructor(act: Promise<unknown>) {
    this.result = Promise.allSettled([act]).then(([result]) => {
      this.isOver = true;
      return result;
    });
  }

  /** @returns once it is over, or the last call that arrives was answered */
  async stopped(interrupted: Interrupted, last: number): Promise<void> {
    while (!this.isOver && interrupted.calls <= last) await driver.now();
    while (interrupted.underWay > 0) await driver.now();
  }
}

/** Something that takes several calls, and what it may leave. */
interface Scenario {
  prepare(): Promise<QueueRef[]>;
  act(store: RedisStore, queues: QueueRef[]): Promise<unknown>;
  /** The bodies in each queue, in order of `prepare`; before and after. */
  readonly undone: readonly (readonly string[])[];
  readonly done: readonly (readonly string[])[];
}

let names = 0;
const queue = (limits: Partial<QueueRef> = {}): Promise<QueueRef> =>
  createQueue(driver, `q${(names += 1)}`, limits);

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'a fan-out to three queues': {
    prepare: () => Promise.all([queue(), queue(), queue()]),
    act: (interrupted, targets) =>
      publishInCluster(interrupted, [{ targets, message: newMessage('a') }]),
    undone: [[], [], []],
    done: [['a'], ['a'], ['a']],
  },
  'an atomic batch over two queues': {
    prepare: () => Promise.all([queue({ deduplicationWindow: 1e9 }), queue()]),
    act: (interrupted, [one, two]) =>
      publishInCluster(
        interrupted,
        [
          { targets: [one!], message: newMessage('a', { deduplicationId: 'a' }) },
          { targets: [two!, one!], message: newMessage('b') },
          { targets: [two!], message: newMessage('c', { groupId: 'g' }) },
        ],
        { atomic: true },
      ),
    undone: [[], []],
    done: [
      ['a', 'b'],
      ['b', 'c'],
    ],
  },
  'a dead letter': {
    prepare: async () => {
      const queues = await Promise.all([queue(), queue({ maxSize: 1 })]);
      await send(driver, [queues[0]], 'a');
      return queues;
    },
    act: async (interrupted, [source, dead]) => {
      const [receipt] = receipts(source!, await take(driver, source!));
      const death = { queue: source!.name, reason: 'rejected' } as const;
      return moveInCluster(interrupted, [{ receipt: receipt!, targets: [dead!], death }]);
    },
    undone: [['a'], []],
    done: [[], ['a']],
  },
  'a move to two queues, of two messages': {
    prepare: async () => {
      const queues = await Promise.all([queue(), queue(), queue()]);
      await send(driver, [queues[0]], 'a');
      return queues;
    },
    act: async (interrupted, [source, ...targets]) => {
      const [receipt] = receipts(source!, await take(driver, source!));
      return moveInCluster(interrupted, [{ receipt: receipt!, targets }]);
    },
    undone: [['a'], [], []],
    done: [[], ['a'], ['a']],
  },
};

async function bodiesIn(one: QueueRef): Promise<string[]> {
  const bodies: string[] = [];
  for (const state of STATES) {
    const { messages } = await driver.browse({ queue: one, state, limit: 100 });
    bodies.push(...messages.map(({ body }) => body as string));
  }
  return bodies.toSorted();
}

/** Sweeps until there is nothing to do, and gives back what came of it. */
async function sweepAll(queues: readonly QueueRef[]): Promise<void> {
  later += LATER_MS;
  // It may not have heard of the newest yet.
  await sweeper.topology.load();
  for (let round = 0; round < 20; round += 1) {
    const { messages, nextIn } = await sweeper.sweep(100);
    await sweeper.release(
      messages.map(({ id, lease, queue: number }) => ({
        receipt: { queue: queues.find((one) => one.number === number)!, id, token: lease.token },
        delay: 0,
        as: 'unstarted',
      })),
    );
    // A deduplicationId is remembered for longer.
    if (messages.length === 0 && (nextIn ?? Infinity) > LATER_MS) return;
  }
  assert.fail('there is always something due');
}

async function checkNothingIsLeft(queues: readonly QueueRef[], last: number): Promise<void> {
  for (const one of queues) {
    for (const key of ['held', 'departing', 'decided', 'transfers']) {
      const left = await client.exists(`transfers:{q${one.number}}:${key}`);
      assert.equal(left, 0, `${key} is left after ${last} calls in ${queues.indexOf(one)}`);
    }
    const { ready, scheduled, leased, bytes } = await driver.counts(one);
    const bodies = await bodiesIn(one);
    assert.equal(ready + scheduled + leased, bodies.length, 'G10');
    assert.equal(bytes, bodies.join('').length, 'G10: bytes');
  }
}

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  test(`${name}: whoever dies in between, it is done or not done`, async () => {
    const results = new Set<string>();
    for (let last = 0; ; last += 1) {
      const queues = await scenario.prepare();
      const interrupted = new Interrupted(last, new Promise(() => undefined));
      const acting = new Acting(scenario.act(interrupted, queues));
      await acting.stopped(interrupted, last);
      await sweepAll(queues);
      const found = await Promise.all(queues.map(bodiesIn));
      const isDone = JSON.stringify(found) === JSON.stringify(scenario.done);
      if (!isDone) assert.deepEqual(found, scenario.undone, `after ${last} calls`);
      results.add(isDone ? 'done' : 'undone');
      await checkNothingIsLeft(queues, last);
      if (acting.isOver) break;
    }
    assert.deepEqual([...results], ['undone', 'done']);
  });

  test(`${name}: who comes back late changes nothing that was decided`, async () => {
    for (let last = 0; ; last += 1) {
      const queues = await scenario.prepare();
      let resume!: () => void;
      const interrupted = new Interrupted(last, new Promise((resolve) => (resume = resolve)));
      const acting = new Acting(scenario.act(interrupted, queues));
      await acting.stopped(interrupted, last);
      const isWhole = acting.isOver;
      await sweepAll(queues);
      resume();
      const result = await acting.result;
      await sweepAll(queues);
      const found = await Promise.all(queues.map(bodiesIn));
      const said = result.status === 'fulfilled' ? (result.value as PublishOutcome[]) : [];
      const isDone = said.some(({ status }) => (status as string) !== 'lost');
      // A message that had not left its queue yet is there once more when nobody moved it.
      assert.deepEqual(found, isDone ? scenario.done : scenario.undone, `after ${last} calls`);
      await checkNothingIsLeft(queues, last);
      if (isWhole) break;
    }
  });
}

/** After so long, it is abandoned; but it is too early for a look into all queues. */
const SOON_MS = 15_000;

test('what nobody noted is found soon after a failover, which may have forgotten it', async () => {
  await sweepAll([]);
  const queues = await Promise.all([queue(), queue(), queue()]);
  const isHeld = async (): Promise<boolean> => {
    const held = queues.map(({ number }) => client.exists(`transfers:{q${number}}:held`));
    return (await Promise.all(held)).includes(1);
  };
  const interrupted = new Interrupted(queues.length, new Promise(() => undefined));
  const acting = SCENARIOS['a fan-out to three queues']!.act(interrupted, queues);
  await new Acting(acting).stopped(interrupted, queues.length);
  later += SOON_MS;
  await sweeper.topology.load();
  await sweeper.sweep(100);
  assert.equal(await isHeld(), true, 'somebody noted it');
  const slot = await cluster.nodes[0]!.cli('cluster', 'keyslot', 'transfers:{topology}:');
  const whoSays = await cluster.ownerOf(Number(slot));
  await whoSays.kill();
  await whoSays.restart();
  await cluster.untilHealthy();
  await sweeper.sweep(100);
  assert.equal(await isHeld(), false);
  await checkNothingIsLeft(queues, queues.length);
});
