/**
 * A store in another process, through the remote driver: over the broker's WebSocket and over the
 * socket of a folder that is shared; beside the same store embedded.
 */
import { join } from 'node:path';
import type { Contest, Metric } from './harness/benchmark.ts';
import { runBenchmark } from './harness/run-benchmark.ts';
import { loadOf, measureRemote } from './workloads/remote.ts';
import { measureQueue } from './workloads/wherry.ts';

const WAYS = { broker: './broker-process.ts', share: './share-process.ts' } as const;

function metricsOf(way: keyof typeof WAYS): Metric[] {
  const beside = (name: string, figure: string, target?: Metric['target']): Metric => ({
    name: `${name}-${way}`,
    unit: '/s',
    ours: [way, figure],
    ...(target !== undefined && { target }),
  });
  return [
    beside('send', 'send', { atLeast: 50_000 }),
    beside('consume', 'consume', { atLeast: 50_000 }),
    beside('both', 'both'),
    { ...beside('send-embedded', 'send'), peer: ['embedded', 'send'] },
    { ...beside('consume-embedded', 'consume'), peer: ['embedded', 'consume'] },
    { ...beside('lone-send', 'loneSend'), peer: ['embedded', 'loneSend'] },
    { name: `lone-send-p50-${way}`, unit: 'ms', ours: [way, 'p50'] },
    { name: `lone-send-p99-${way}`, unit: 'ms', ours: [way, 'p99'] },
    { name: `server-cpu-${way}`, unit: 'µs', ours: [way, 'server cpu'] },
    { name: `client-cpu-${way}`, unit: 'µs', ours: [way, 'client cpu'] },
  ];
}

const contest: Contest = {
  name: 'a store in another process',
  runners: {
    broker: (context) => measureRemote(context, WAYS.broker),
    share: (context) => measureRemote(context, WAYS.share),
    embedded: (context) =>
      measureQueue({
        ...loadOf(context),
        storage: `lmdb:${join(context.folder, 'store')}`,
        bytes: 100,
      }),
  },
  metrics: [...metricsOf('broker'), ...metricsOf('share')],
};

await runBenchmark({ name: 'remote', contests: [contest] });
