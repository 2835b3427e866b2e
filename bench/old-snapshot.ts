/**
 * The known weakness of queues in PostgreSQL: while a transaction elsewhere holds an old snapshot,
 * what is gone cannot be cleaned up, and claims must step over it. Ours against a queue of the usual
 * kind, on the same server in turns.
 */
import { openUpdateInPlace } from './contenders/update-in-place.ts';
import { openWherry } from './contenders/wherry.ts';
import type { Contest } from './harness/benchmark.ts';
import { runBenchmark } from './harness/run-benchmark.ts';
import { startServer } from './harness/server.ts';
import { measureOldSnapshot } from './workloads/old-snapshot.ts';

const snapshot: Contest = {
  name: 'an old snapshot',
  prepare: startServer('postgres'),
  runners: {
    wherry: (context) => measureOldSnapshot(openWherry, context),
    'update-in-place': (context) => measureOldSnapshot(openUpdateInPlace, context),
  },
  metrics: [
    {
      name: 'kept',
      unit: '',
      ours: ['wherry', 'kept'],
      target: { atLeast: 0.8 },
    },
    { name: 'kept-update-in-place', unit: '', ours: ['update-in-place', 'kept'] },
    {
      name: 'consume-before',
      unit: '/s',
      ours: ['wherry', 'fresh'],
      peer: ['update-in-place', 'fresh'],
    },
    { name: 'consume-then', unit: '/s', ours: ['wherry', 'old'], peer: ['update-in-place', 'old'] },
  ],
};

await runBenchmark({
  name: 'old-snapshot',
  contests: [snapshot],
  rounds: 1,
  settings: { minutes: 5 },
});
