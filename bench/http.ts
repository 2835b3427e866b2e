/**
 * The broker's HTTP API: one by one, in batches, and idle; beside the same store embedded, and beside
 * an HTTP server that only parses and answers.
 */
import { join } from 'node:path';
import type { Contest } from './harness/benchmark.ts';
import { runBenchmark } from './harness/run-benchmark.ts';
import { measureBareHttp, measureHttp, measureIdlePolls } from './workloads/http.ts';
import { measureQueue } from './workloads/wherry.ts';

const api: Contest = {
  name: 'the HTTP API',
  runners: {
    http: measureHttp,
    'bare HTTP': measureBareHttp,
    embedded: ({ folder, isQuick }) =>
      measureQueue({
        storage: `lmdb:${join(folder, 'store')}`,
        bytes: 100,
        messages: isQuick ? 2_000 : 200_000,
        loneSends: isQuick ? 20 : 1_000,
      }),
  },
  metrics: [
    {
      name: 'send-batches',
      unit: '/s',
      ours: ['http', 'send'],
      target: { atLeast: 25_000 },
    },
    {
      name: 'consume-batches',
      unit: '/s',
      ours: ['http', 'consume'],
      target: { atLeast: 25_000 },
    },
    {
      name: 'send-batches-bare',
      unit: '/s',
      ours: ['http', 'send'],
      peer: ['bare HTTP', 'send'],
    },
    {
      name: 'send-batches-embedded',
      unit: '/s',
      ours: ['http', 'send'],
      peer: ['embedded', 'send'],
    },
    {
      name: 'consume-batches-embedded',
      unit: '/s',
      ours: ['http', 'consume'],
      peer: ['embedded', 'consume'],
    },
    { name: 'send-one', unit: '/s', ours: ['http', 'single'], peer: ['bare HTTP', 'single'] },
    { name: 'send-one-p50', unit: 'ms', ours: ['http', 'p50'] },
    { name: 'send-one-p99', unit: 'ms', ours: ['http', 'p99'] },
    { name: 'cpu-per-message', unit: 'µs', ours: ['http', 'cpu'] },
  ],
};

const idle: Contest = {
  name: 'idle long polls',
  runners: { http: measureIdlePolls },
  metrics: [
    { name: 'idle-polls', unit: 'of a core', ours: ['http', 'idle'], target: { atMost: 0.01 } },
  ],
};

await runBenchmark({ name: 'http', contests: [api, idle] });
