/**
 * One process with its store in a folder: how much of the raw key-value store's speed is left when
 * it is a queue, compared with another embedded queue, and what waiting costs.
 */
import { join } from 'node:path';
import type { Contest, Metric, RunContext } from './harness/benchmark.ts';
import { runBenchmark } from './harness/run-benchmark.ts';
import { measureIdleConsumers } from './workloads/idle-consumers.ts';
import { measureLmdb } from './workloads/lmdb-loop.ts';
import { measurePlainjob } from './workloads/plainjob.ts';
import { measureSteadySends } from './workloads/steady-sends.ts';
import { measureQueue } from './workloads/wherry.ts';

function throughput(size: string, bytes: number, messages: number): Contest {
  const loadOf = ({ isQuick }: RunContext) =>
    isQuick ? { bytes, messages: 2_000, loneSends: 20 } : { bytes, messages, loneSends: 1_000 };
  const isJudged = bytes === 100;
  const metric = (
    name: string,
    ours: string,
    peer: [string, string],
    atLeast?: number,
  ): Metric => ({
    name: `${name}-${size}`,
    unit: '/s',
    ours: ['wherry', ours],
    peer,
    ...(atLeast === undefined || !isJudged ? {} : { target: { atLeast } }),
  });
  return {
    name: `${size} payloads`,
    runners: {
      wherry: (context) =>
        measureQueue({ ...loadOf(context), storage: `lmdb:${join(context.folder, 'store')}` }),
      lmdb: (context) => measureLmdb(context.folder, loadOf(context)),
      plainjob: (context) =>
        measurePlainjob(context.folder, { bytes, messages: context.isQuick ? 200 : 40_000 }),
    },
    metrics: [
      metric('lone-send', 'loneSend', ['lmdb', 'loneSend']),
      metric('send', 'send', ['lmdb', 'send'], 0.5),
      metric('consume', 'consume', ['lmdb', 'consume'], 0.5),
      metric('both', 'both', ['lmdb', 'both']),
      metric('lone-send-plainjob', 'loneSend', ['plainjob', 'add']),
      metric('send-plainjob', 'send', ['plainjob', 'addMany']),
      metric('consume-plainjob', 'consume', ['plainjob', 'consume'], 10),
    ],
  };
}

const latency: Contest = {
  name: 'latency of a send',
  runners: { wherry: measureSteadySends },
  metrics: [
    {
      name: 'steady-send-p50',
      unit: 'ms',
      ours: ['wherry', 'send p50'],
      peer: ['wherry', 'fdatasync p50'],
    },
    {
      name: 'steady-send-p99',
      unit: 'ms',
      ours: ['wherry', 'send p99'],
      peer: ['wherry', 'fdatasync p99'],
      target: { atMost: 3 },
    },
  ],
};

const idle: Contest = {
  name: 'idle consumers',
  runners: { wherry: measureIdleConsumers },
  metrics: [
    {
      name: 'idle-consumers',
      unit: 'of a core',
      ours: ['wherry', 'idle'],
      target: { atMost: 0.01 },
    },
  ],
};

await runBenchmark({
  name: 'embedded',
  contests: [throughput('100b', 100, 300_000), throughput('1kb', 1_024, 100_000), latency, idle],
});
