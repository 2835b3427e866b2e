/** A user with the rights that docs/redis.md lists, and no others, can do everything. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { examineRedis } from '../../../src/drivers/redis/doctor.ts';
import { createRedisDriver, type RedisDriverOptions } from '../../../src/drivers/redis/index.ts';
import { MessageQueueSystem } from '../../../src/index.ts';
import { conformanceSuite } from '../../../src/testing/index.ts';
import { startRedisCluster } from '../../servers/redis-cluster.ts';
import { type RedisServer, startRedis } from '../../servers/redis.ts';
import { BOUND_LEASES_GO_ON } from './gaps.ts';

const PASSWORD = 'secret';

/** The command as the page has it. */
function ruleOfPage(): readonly string[] {
  const page = readFileSync(new URL('../../../../../docs/redis.md', import.meta.url), 'utf8');
  const [, command] = /^(ACL SETUSER [^`]*)^```$/m.exec(page) ?? [];
  assert.ok(command, 'the page has no ACL SETUSER');
  return command.trim().replace('PASSWORD', PASSWORD).split(/\s+/);
}

const rule = ruleOfPage();
const user = rule[2]!;

async function useStore(options: RedisDriverOptions): Promise<void> {
  const mq = await MessageQueueSystem.open({ storage: createRedisDriver(options) });
  try {
    await mq.createQueue({ name: 'jobs', maxRetries: 0 });
    await mq.createQueue({ name: 'spread', partitions: 3 });
    await mq.createExchange({ name: 'all', type: 'fanout' });
    for (const queue of ['jobs', 'spread']) await mq.bind({ exchange: 'all', queue });
    await mq.upsertSchedule('often', { every: 60_000, queue: 'jobs', message: { payload: 1 } });
    await mq.publish('all', 'key', { payload: 2 });
    const handled = new Promise<void>((resolve) => {
      const handler = async (): Promise<void> => resolve();
      void mq.createConsumer({ id: 'c', queueName: 'spread', handler });
    });
    await handled;
    const taken = await mq.receiveMessage('jobs', 'me');
    await mq.rejectMessage(taken!.id, 'me', 'no');
    assert.equal((await mq.getQueueInfo('dead-letter')).messageCount, 1);
    await mq.deleteQueue('jobs', { force: true });
  } finally {
    await mq.close();
  }
  assert.deepEqual((await examineRedis({ ...options, repair: true })).problems, []);
}

/** The conformance suite, in stores of their own, one test after the other. */
async function conform(options: RedisDriverOptions, gaps: Readonly<Record<string, string>>) {
  const bodies: (() => Promise<void>)[] = [];
  let stores = 0;
  conformanceSuite({
    name: user,
    test: (_title, body) => bodies.push(body),
    skip: () => undefined,
    gaps: { ...BOUND_LEASES_GO_ON, ...gaps },
    model: { runs: 2 },
    createStore: async (clock) => {
      const prefix = `wherry:${(stores += 1)}`;
      let driver: ReturnType<typeof createRedisDriver>;
      return {
        connect: () => (driver = createRedisDriver({ ...options, prefix, clock })),
        crash: () => driver.close(),
        remove: async () => undefined,
      };
    },
  });
  assert.ok(bodies.length > 200);
  for (const body of bodies) await body();
}

async function assertNothingRefused(servers: readonly RedisServer[]): Promise<void> {
  for (const server of servers) assert.equal(await server.cli('ACL', 'LOG'), '');
}

test('the rights of docs/redis.md are enough on a server', async (t) => {
  const server = await startRedis();
  t.after(() => server.stop());
  await server.cli(...rule);
  const url = `redis://${user}:${PASSWORD}@127.0.0.1:${server.port}`;
  await useStore({ url });
  await useStore({ url: `${url}/3?prefix=wherry:db&waitReplicas=0` });
  await conform({ url }, {});
  await assertNothingRefused([server]);
  const others = createRedisDriver({ url: `${url}?prefix=others` });
  await assert.rejects(others.open(), { code: 'STORAGE_AUTH' });
  assert.notEqual(await server.cli('ACL', 'LOG'), '', 'what is refused is logged');
});

test('the rights of docs/redis.md are enough on a cluster, with waitReplicas', async (t) => {
  const cluster = await startRedisCluster();
  t.after(() => cluster.stop());
  for (const node of cluster.nodes) await node.cli(...rule);
  const options: RedisDriverOptions = {
    cluster: cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
    connection: { username: user, password: PASSWORD },
  };
  await useStore({ ...options, waitReplicas: 1 });
  await conform(options, { atomicDrops: 'as in test/drivers/redis-cluster.test.ts' });
  await assertNothingRefused(cluster.nodes);
});
