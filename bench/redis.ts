/**
 * Many processes' queue on one Redis server: ours, the libraries made for Redis, and a raw stream
 * through the same client, on the same server in turns.
 */
import { openRedisStreams } from './contenders/redis-streams.ts';
import { openWherry } from './contenders/wherry.ts';
import { runBenchmark } from './harness/run-benchmark.ts';
import { latencyContest, type Peer, rateContest } from './workloads/server-contests.ts';

const ours = { open: openWherry, messages: 200_000 };
/** Those that must be installed are loaded where they run. */
const peers: Record<string, Peer> = {
  bullmq: {
    open: async (url) => (await import('./contenders/bullmq.ts')).openBullmq(url),
    messages: 50_000,
    targets: { send: 3, consume: 3 },
  },
  beequeue: {
    open: async (url) => (await import('./contenders/bee-queue.ts')).openBeeQueue(url),
    messages: 100_000,
    targets: { send: 1, consume: 1 },
  },
  streams: {
    open: openRedisStreams,
    messages: 200_000,
    targets: { send: 0.7, consume: 0.7, both: 0.7 },
  },
};
const sizes = { '100b': 100, '1kb': 1_024 };

await runBenchmark({
  name: 'redis',
  contests: [
    ...Object.entries(sizes).map(([size, bytes]) =>
      rateContest({ server: 'redis', size, bytes, ours, peers, maxWaiting: 300 }),
    ),
    latencyContest('redis', ours, peers),
  ],
});
