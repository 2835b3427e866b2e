import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MessageQueueSystem } from 'wherry';
import type { Figures, RunContext } from '../harness/benchmark.ts';
import { InvalidRunError } from '../harness/delivery-check.ts';
import { BenchServer } from '../harness/server.ts';
import { inLanes, rateOf } from './lanes.ts';

const CONSUMERS = 100;
const OUTSTANDING = 100;

/**
 * A store with many queues that nobody uses, and a hundred consumers that wait on some of them.
 * @returns queues made per second; the seconds that another process takes to open the store, and its
 *   memory for each queue; the server's room for each queue; and what waiting costs: the processor
 *   time of the process and of the server as shares of a core, and calls of the server per second:
 *   scripts of Redis, transactions of PostgreSQL
 */
export async function measureManyQueues(context: RunContext): Promise<Figures> {
  const { isQuick, settings } = context;
  const queues = isQuick ? 200 : settings['queues']!;
  const server = await BenchServer.find(context);
  const nameOf = (index: number): string => `queue-${String(index).padStart(7, '0')}`;
  const bytesBefore = await server.usedBytes();
  const maker = await MessageQueueSystem.open({ storage: server.url });
  const create = await rateOf(queues, () =>
    inLanes(queues, OUTSTANDING, (index) => maker.createQueue({ name: nameOf(index) })),
  );
  await maker.close();
  const stored = ((await server.usedBytes()) - bytesBefore) / queues;

  const heapBefore = usedHeap();
  const opening = performance.now();
  await using mq = await MessageQueueSystem.open({ storage: server.url });
  const open = (performance.now() - opening) / 1_000;
  const heap = (usedHeap() - heapBefore) / queues;
  if (mq.listQueues().length < queues) throw new InvalidRunError('Not every queue is there.');

  const handled = new Set<string>();
  const consumers = Math.min(CONSUMERS, queues);
  for (let index = 0; index < consumers; index++) {
    const queueName = nameOf(index);
    await mq.createConsumer({
      id: queueName,
      queueName,
      handler: async ({ queueName: name }) => void handled.add(name),
    });
  }
  const idle = await measureIdle(server, isQuick ? 500 : 20_000, isQuick ? 200 : 3_000);
  for (let index = 0; index < consumers; index++) {
    await mq.sendMessage(nameOf(index), { payload: index });
  }
  for (let waited = 0; handled.size < consumers && waited < 10_000; waited += 10) {
    await setTimeout(10);
  }
  if (handled.size !== consumers) {
    throw new InvalidRunError(`Only ${handled.size} of ${consumers} consumers were woken.`);
  }
  return { create, open, heap, stored, ...idle };
}

/** @param ms how long to watch @param settleMs how long to wait first, for what the start left to do */
async function measureIdle(server: BenchServer, ms: number, settleMs: number): Promise<Figures> {
  await setTimeout(settleMs);
  const calls = await server.callsDone();
  const serverCpu = server.cpuMs();
  const cpu = process.cpuUsage();
  const start = performance.now();
  await setTimeout(ms);
  const { user, system } = process.cpuUsage(cpu);
  const elapsed = performance.now() - start;
  return {
    idleClient: (user + system) / 1_000 / elapsed,
    idleServer: (server.cpuMs() - serverCpu) / elapsed,
    idleCalls: ((await server.callsDone()) - calls) / (elapsed / 1_000),
  };
}

/** After a collection: V8 has one to offer when it is asked for it. */
function usedHeap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
