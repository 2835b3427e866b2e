/** A cluster whose nodes change places, and whose slots move, under processes at work. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { examineRedis } from '../../../src/drivers/redis/doctor.ts';
import { MessageQueueSystem } from '../../../src/index.ts';
import { type RedisCluster, startRedisCluster } from '../../servers/redis-cluster.ts';
import type { RedisServer } from '../../servers/redis.ts';
import { poll } from '../../servers/server-process.ts';
import { type Fault, type FaultReport, runFaults } from '../shared/fault-run.ts';
import { assertUnharmed, chooseSeed, FORGOTTEN_LEASES } from '../shared/verdict.ts';

/** More than the workload has. */
const QUEUES = 14;

let cluster: RedisCluster;

before(async () => {
  cluster = await startRedisCluster();
});

after(() => cluster.stop());

function storeOf(parameters: string): string {
  const nodes = cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return `redis-cluster://${nodes}?${parameters}`;
}

async function masters(): Promise<RedisServer[]> {
  const owners = await Promise.all([0, 8_000, 16_000].map((slot) => cluster.ownerOf(slot)));
  return [...new Set(owners)];
}

/** What has all its keys in one slot: each queue, and what says which queues there are. */
const PLACES = ['topology', ...Array.from({ length: QUEUES }, (_, i) => `q${i + 1}`)];

async function slotOf(place: string): Promise<number> {
  return Number(await cluster.nodes[0]!.cli('cluster', 'keyslot', `{${place}}`));
}

let slots: Promise<number[]> | undefined;

/** Of all places; they stay the same. */
function slotsInUse(): Promise<number[]> {
  slots ??= Promise.all(PLACES.map(slotOf));
  return slots;
}

/** More than a process that sweeps needs to find and end what was begun between two slots. */
const TRANSFER_MS = 20_000;

/** Of the sends, how many may leave their sender in doubt: they wait, and the servers know them again. */
const IN_DOUBT_MAX = 0.02;

function assertKnown({ coverage: { confirmedSends, sendsInDoubt } }: FaultReport): void {
  const isKnown = sendsInDoubt <= IN_DOUBT_MAX * confirmedSends;
  assert.ok(isKnown, `${sendsInDoubt} sends in doubt, and ${confirmedSends} confirmed`);
}

/** What was begun between two slots ends, and all counters are right, with whoever sweeps. */
async function assertWhole(store: string): Promise<void> {
  const mq = await MessageQueueSystem.open({ storage: store });
  try {
    const isWhole = async (): Promise<boolean> => {
      const { places } = await examineRedis({ url: store });
      return places.every(({ underWay }) => underWay === 0);
    };
    await poll(isWhole, 'what was under way between slots has ended', TRANSFER_MS);
    assert.deepEqual((await examineRedis({ url: store })).problems, []);
  } finally {
    await mq.close();
  }
}

/** Each slot goes to another master, with the messages in it. */
async function moveEverything(): Promise<void> {
  const all = await masters();
  let moved = 0;
  for (const [i, slot] of (await slotsInUse()).entries()) {
    const owner = await cluster.ownerOf(slot);
    const others = all.filter((node) => node !== owner);
    moved += await cluster.moveSlot(slot, others[i % others.length]!);
  }
  if (moved === 0) throw new Error('There was nothing to move');
}

test('a failover by agreement and slots on the move lose nothing', async (t) => {
  const faults: Fault[] = [
    { name: 'all slots in use moved', strike: moveEverything },
    {
      name: 'every master changes places with its replica',
      strike: async () => {
        for (const master of await masters()) await cluster.failover(master);
      },
    },
    { name: 'all slots in use moved again', strike: moveEverything },
  ];
  const seed = chooseSeed();
  const store = storeOf('prefix=peaceful');
  const report = await runFaults({ seed, stores: [store, store], faults });
  assertUnharmed(t, report, seed);
  assertKnown(report);
  await assertWhole(store);
});

test('a master that dies loses nothing, with waitReplicas', async (t) => {
  const faults: Fault[] = [0, 8_000].map((slot) => ({
    name: `the master of slot ${slot} killed`,
    strike: async () => {
      const master = await cluster.ownerOf(slot);
      const replica = await cluster.replicaOf(master);
      await master.kill();
      await cluster.untilMaster(replica);
      // It comes back as its successor's replica: without one, nothing would be confirmed.
      await master.restart();
      await cluster.untilReplicated();
    },
  }));
  const seed = chooseSeed();
  const store = storeOf('prefix=killed&waitReplicas=1');
  const report = await runFaults({ seed, stores: [store, store], faults });
  assertUnharmed(t, report, seed, FORGOTTEN_LEASES);
  assertKnown(report);
  await assertWhole(store);
});
