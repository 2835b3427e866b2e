/** Whether AMQP consumers of our broker are as fast when five million messages wait. */
import { measureBacklog } from './amqp/backlog.ts';
import { startServers } from './amqp/servers.ts';
import { runBenchmark } from './harness/run-benchmark.ts';

await runBenchmark({
  name: 'amqp-backlog',
  rounds: 1,
  settings: { messages: 5_000_000 },
  contests: [
    {
      name: 'a deep queue',
      prepare: startServers,
      runners: { broker: measureBacklog },
      metrics: [
        {
          name: 'consume',
          unit: '/s',
          ours: ['broker', 'deep'],
          peer: ['broker', 'shallow'],
          target: { atLeast: 0.9 },
        },
      ],
    },
  ],
});
