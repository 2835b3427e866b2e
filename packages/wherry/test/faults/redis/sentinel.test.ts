/** Sentinels that promote a replica under processes at work. */
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SentinelGroup, startSentinels } from '../../servers/sentinel.ts';
import { type Fault, runFaults } from '../shared/fault-run.ts';
import { assertUnharmed, chooseSeed, FORGOTTEN_LEASES } from '../shared/verdict.ts';

/**
 * What is confirmed is on both servers. A primary without its replica takes nothing: else one that
 * does not know yet that it was replaced would hand out messages that the new one hands out too.
 */
const SAFE = { 'min-replicas-to-write': 1, 'min-replicas-max-lag': 2 };

/** The old primary becomes the new one's replica; the Sentinels take ten seconds for that. */
async function demote(group: SentinelGroup): Promise<void> {
  const { master, replica } = group;
  if (!replica.isRunning) await replica.restart();
  await replica.cli('replicaof', '127.0.0.1', master.port);
  await group.untilReady();
}

function faultsOf(group: SentinelGroup): Fault[] {
  return [
    {
      name: 'a failover that somebody asks for',
      strike: async () => {
        await group.failover();
        await demote(group);
      },
    },
    {
      name: 'the primary killed',
      strike: async () => {
        const { master, replica } = group;
        await master.kill();
        await group.untilMaster(replica);
        await demote(group);
      },
    },
    {
      name: 'the primary held up, replaced, and woken',
      strike: async () => {
        const { master, replica } = group;
        master.pause();
        await group.untilMaster(replica);
        master.continue();
        await sleep(500);
        await demote(group);
      },
    },
  ];
}

test('a Sentinel failover loses and doubles nothing, with waitReplicas', async (t) => {
  const group = await startSentinels({ config: SAFE });
  t.after(() => group.stop());
  const nodes = group.sentinels.map(({ host, port }) => `${host}:${port}`).join(',');
  const store = `redis-sentinel://${nodes}/${group.name}?waitReplicas=1`;
  const seed = chooseSeed();
  const stores = [store, store];
  const report = await runFaults({ seed, stores, faults: faultsOf(group) });
  assertUnharmed(t, report, seed, FORGOTTEN_LEASES);
});
