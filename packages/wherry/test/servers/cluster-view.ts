import type { RedisServer } from './redis.ts';

/** How a node of a Redis Cluster sees a node. */
export interface NodeView {
  readonly id: string;
  readonly port: number;
  readonly flags: readonly string[];
  /** The master's id, `-` for a master. */
  readonly masterId: string;
  readonly slots: readonly (readonly [first: number, last: number])[];
}

/** @returns how `node` sees the cluster */
export async function viewOf(node: RedisServer): Promise<NodeView[]> {
  const lines = (await node.cli('cluster', 'nodes')).split('\n');
  return lines.map((line) => {
    const [id, address, flags, masterId, , , , , ...ranges] = line.split(' ');
    return {
      id: id!,
      port: Number(/:(\d+)/.exec(address!)![1]),
      flags: flags!.split(','),
      masterId: masterId!,
      // In brackets are slots on their way.
      slots: ranges.filter((range) => !range.startsWith('[')).map(readRange),
    };
  });
}

function readRange(range: string): [first: number, last: number] {
  const [first = NaN, last = first] = range.split('-').map(Number);
  return [first, last];
}
