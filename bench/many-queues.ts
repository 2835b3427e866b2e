/** What queues cost that nobody uses, and consumers that wait: on a server, for every process. */
import type { Contest, Metric, Unit } from './harness/benchmark.ts';
import { runBenchmark } from './harness/run-benchmark.ts';
import { type ServerKind, startServer } from './harness/server.ts';
import { measureManyQueues } from './workloads/many-queues.ts';

function manyQueues(kind: ServerKind): Contest {
  const metric = (name: string, unit: Unit, figure: string, atMost?: number): Metric => ({
    name: `${kind}-${name}`,
    unit,
    ours: ['wherry', figure],
    ...(atMost === undefined ? {} : { target: { atMost } }),
  });
  return {
    name: kind,
    prepare: startServer(kind),
    runners: { wherry: measureManyQueues },
    metrics: [
      metric('create', '/s', 'create'),
      metric('open', 's', 'open'),
      metric('heap-per-queue', 'B', 'heap'),
      metric('stored-per-queue', 'B', 'stored'),
      metric('idle-client', 'of a core', 'idleClient', 0.01),
      metric('idle-server', 'of a core', 'idleServer', 0.01),
      metric('idle-calls', '/s', 'idleCalls'),
    ],
  };
}

await runBenchmark({
  name: 'many-queues',
  contests: [manyQueues('redis'), manyQueues('postgres')],
  settings: { queues: 10_000 },
});
