import { openWherry } from '../contenders/wherry.ts';
import type { Figures, RunContext } from '../harness/benchmark.ts';
import { startMasters } from '../harness/cluster.ts';
import { cpuMsOf } from '../harness/processor-time.ts';
import { Stream, perSecond } from './stream.ts';

/** Enough that each of three masters has its share of them. */
const PARTITIONS = 12;
const BYTES = 100;

/**
 * One queue in partitions, on a cluster of so many masters of its own.
 * @returns messages per second sent, consumed, and both at once; and the processor time per message
 *   (sent and consumed) of the busiest node and of all nodes, in microseconds
 * @throws InvalidRunError when a message did not come exactly once
 */
export async function measurePartitions(
  masters: number,
  { isQuick, settings }: RunContext,
): Promise<Figures> {
  const messages = isQuick ? 2_000 : settings['messages']!;
  const cluster = await startMasters(masters);
  const contender = await openWherry(cluster.url, { partitions: PARTITIONS });
  const stream = new Stream(contender, BYTES);
  await stream.send(messages / 10);
  await stream.consume(messages / 10);
  const before = cluster.pids.map(cpuMsOf);
  const send = perSecond(messages, await stream.send(messages));
  const consume = perSecond(messages, await stream.consume(messages));
  const perNode = cluster.pids.map((pid, node) => (cpuMsOf(pid) - before[node]!) / messages);
  const both = perSecond(messages, await stream.both(messages));
  await contender.close();
  await cluster.stop();
  return {
    send,
    consume,
    both,
    'busiest node': Math.max(...perNode) * 1_000,
    'all nodes': perNode.reduce((sum, one) => sum + one, 0) * 1_000,
  };
}
