/** Whether a message costs the same however many wait: a queue of 5 million against one of 10,000. */
import type { Contest, RunContext } from './harness/benchmark.ts';
import { runBenchmark } from './harness/run-benchmark.ts';
import { fillQueue, measureDeepQueue, queueIn } from './workloads/deep-queue.ts';

const SHALLOW = 10_000;

const flatCost: Contest = {
  name: 'backlog',
  prepare: ({ shared, isQuick }: RunContext) =>
    fillQueue(queueIn(shared), isQuick ? 5_000 : 5_000_000, (line) => console.error(line)),
  runners: {
    deep: (context) => measureDeepQueue(queueIn(context.shared), context),
    shallow: async (context) => {
      const queue = queueIn(context.folder);
      await fillQueue(queue, context.isQuick ? 1_000 : SHALLOW);
      return measureDeepQueue(queue, context);
    },
  },
  metrics: [
    {
      name: 'consume',
      unit: '/s',
      ours: ['deep', 'consume'],
      peer: ['shallow', 'consume'],
      target: { atLeast: 0.9 },
    },
    { name: 'open', unit: 's', ours: ['deep', 'open'], target: { atMost: 1 } },
    {
      name: 'memory-after-open',
      unit: 'MB',
      ours: ['deep', 'memoryAfterOpen'],
      target: { atMost: 250 },
    },
    {
      name: 'memory-after-consuming',
      unit: 'MB',
      ours: ['deep', 'memoryAfterConsuming'],
      target: { atMost: 250 },
    },
  ],
};

await runBenchmark({ name: 'backlog', contests: [flatCost] });
