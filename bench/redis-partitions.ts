/**
 * One queue that outgrows a node: spread over a Redis Cluster of one, two and three masters. On a
 * machine whose masters share its processors the rate says little; what each node has to do for a
 * message says how far it would go with a processor for each.
 */
import type { Contest, Metric } from './harness/benchmark.ts';
import { runBenchmark } from './harness/run-benchmark.ts';
import { measurePartitions } from './workloads/partitions.ts';

const MASTERS = [1, 2, 3];
/** Of the work of a lone node, what the busiest of several may have. */
const SHARES: Readonly<Record<number, number>> = { 2: 0.65, 3: 0.45 };

const nameOf = (masters: number): string => (masters === 1 ? '1 master' : `${masters} masters`);

const metricsOf = (masters: number): Metric[] => {
  const [here, alone] = [nameOf(masters), nameOf(1)];
  const share = SHARES[masters];
  return [
    ...['send', 'consume', 'both'].map((rate): Metric => ({
      name: `${rate}-${masters}`,
      unit: '/s',
      ours: [here, rate],
      ...(masters === 1 ? {} : { peer: [alone, rate] }),
    })),
    {
      name: `busiest-node-cpu-${masters}`,
      unit: 'µs',
      ours: [here, 'busiest node'],
      ...(masters === 1 ? {} : { peer: [alone, 'busiest node'] }),
      ...(share === undefined ? {} : { target: { atMost: share } }),
    },
    { name: `all-nodes-cpu-${masters}`, unit: 'µs', ours: [here, 'all nodes'] },
  ];
};

const partitions: Contest = {
  name: 'a queue over masters of a cluster',
  runners: Object.fromEntries(
    MASTERS.map((masters) => [nameOf(masters), (context) => measurePartitions(masters, context)]),
  ),
  metrics: MASTERS.flatMap(metricsOf),
};

await runBenchmark({
  name: 'redis-partitions',
  contests: [partitions],
  settings: { messages: 200_000 },
});
