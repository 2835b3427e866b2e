/** A Redis Cluster of as many masters as a run asks for, without replicas. */
import { setTimeout as delay } from 'node:timers/promises';
import { RedisServer } from '../../packages/wherry/test/servers/redis.ts';
import { freePort } from '../../packages/wherry/test/servers/free-port.ts';

const SLOTS = 16_384;
const LOOK_AGAIN_MS = 50;

export interface BenchCluster {
  readonly url: string;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/** `redis-cli --cluster create` refuses fewer than three masters, so they are put together here. */
export async function startMasters(count: number): Promise<BenchCluster> {
  const config = {
    'cluster-enabled': 'yes',
    // A node that has met no other does not know what it is called.
    'cluster-announce-ip': '127.0.0.1',
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '""',
  };
  const nodes: RedisServer[] = [];
  for (let i = 0; i < count; i++) nodes.push(new RedisServer(await freePort(), { config }));
  await Promise.all(nodes.map((node) => node.restart()));
  for (const [i, node] of nodes.entries()) {
    const [first, next] = [i, i + 1].map((at) => Math.floor((SLOTS * at) / count));
    await node.cli('cluster', 'addslotsrange', String(first), String(next! - 1));
    if (i > 0) await node.cli('cluster', 'meet', '127.0.0.1', String(nodes[0]!.port));
  }
  for (const node of nodes) {
    const isWhole = async (): Promise<boolean> => {
      const info = await node.cli('cluster', 'info');
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${count}`);
    };
    while (!(await isWhole())) await delay(LOOK_AGAIN_MS);
  }
  return {
    url: `redis-cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    pids: nodes.map(({ pid }) => pid),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}
