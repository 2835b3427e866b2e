/**
 * Many processes' queue on one PostgreSQL server: ours, the libraries made for PostgreSQL, and plain
 * statements through the same client, on the same server in turns.
 */
import { openRawPostgres } from './contenders/raw-postgres.ts';
import { openWherry } from './contenders/wherry.ts';
import { runBenchmark } from './harness/run-benchmark.ts';
import { latencyContest, type Peer, rateContest } from './workloads/server-contests.ts';

const ours = { open: openWherry, messages: 200_000 };
/** Those that must be installed are loaded where they run: on a newer Node than the rest, too. */
const peers: Record<string, Peer> = {
  graphile: {
    open: async (url) => (await import('./contenders/graphile-worker.ts')).openGraphileWorker(url),
    messages: 60_000,
    needs: 'node 22',
    best: { send: 'sendBatch' },
    targets: { send: 2, consume: 2, both: 2 },
  },
  pgboss: {
    open: async (url) => (await import('./contenders/pg-boss.ts')).openPgBoss(url),
    messages: 60_000,
    needs: 'node 22',
    best: { send: 'sendBatch' },
    targets: { consume: 4 },
  },
  raw: {
    open: openRawPostgres,
    messages: 200_000,
    best: { send: 'sendBatch' },
    targets: { send: 0.5, consume: 0.5 },
  },
};
const sizes = { '100b': 100, '1kb': 1_024 };

await runBenchmark({
  name: 'postgres',
  contests: [
    ...Object.entries(sizes).map(([size, bytes]) =>
      rateContest({ server: 'postgres', size, bytes, ours, peers }),
    ),
    latencyContest('postgres', ours, peers),
  ],
});
