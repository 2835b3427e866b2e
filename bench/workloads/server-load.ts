import type { OpenContender } from '../contenders/contender.ts';
import type { Figures, RunContext } from '../harness/benchmark.ts';
import { BenchServer } from '../harness/server.ts';
import { quantile } from '../harness/statistics.ts';
import { Stream, perSecond } from './stream.ts';

export interface ServerLoad {
  /** Of a payload's JSON. */
  readonly bytes: number;
  readonly messages: number;
}

const PER_SECOND = 500;

/**
 * Sends one by one with many outstanding, sends in batches, consumes, and does both at once, sending
 * in the contender's best way.
 * @returns messages per second of each, the processor time per message (sent and consumed) of
 *   the server and of this process in microseconds, and the bytes of a waiting message
 * @throws InvalidRunError when a message did not come exactly once
 */
export async function measureRates(
  open: OpenContender,
  context: RunContext,
  { bytes, messages }: ServerLoad,
): Promise<Figures> {
  const server = await BenchServer.find(context);
  const contender = await open(server.url);
  const stream = new Stream(contender, bytes);

  // For the compilers on both sides. What waits is weighed now: later, room would be used again.
  const few = Math.ceil(messages / 10);
  const before = await server.usedBytes();
  await stream.sendBest(few);
  const waiting = ((await server.usedBytes()) - before) / few;
  await stream.consume(few);

  const perMessage = async (count: number, work: () => Promise<number>) => {
    const [serverBefore, cpuBefore] = [server.cpuMs(), process.cpuUsage()];
    const rate = perSecond(count, await work());
    const { user, system } = process.cpuUsage(cpuBefore);
    const cpu = ((server.cpuMs() - serverBefore) / count) * 1_000;
    return { rate, cpu, clientCpu: (user + system) / count };
  };
  const isBestInOnes = contender.sendsBestIn === 'ones';
  // Where it is the slow way, fewer tell as much.
  const ones = isBestInOnes ? messages : few;
  const send = await perMessage(ones, () => stream.send(ones));
  await stream.consume(ones);
  const sendBatch = await perMessage(messages, () => stream.sendBatches(messages));
  const consume = await perMessage(messages, () => stream.consume(messages));
  const both = perSecond(messages, await stream.both(messages));
  const best = isBestInOnes ? send : sendBatch;
  await contender.close();
  return {
    send: send.rate,
    sendBatch: sendBatch.rate,
    consume: consume.rate,
    both,
    cpu: best.cpu + consume.cpu,
    clientCpu: best.clientCpu + consume.clientCpu,
    waiting,
  };
}

/**
 * Sends at a steady 500 per second to a consumer that waits.
 * @returns milliseconds from the call of the send to the handler's beginning, p50 and p99
 * @throws InvalidRunError when a message did not come exactly once
 */
export async function measureLatency(open: OpenContender, context: RunContext): Promise<Figures> {
  const server = await BenchServer.find(context);
  const contender = await open(server.url);
  const stream = new Stream(contender, 100);
  await stream.atPace(context.isQuick ? 50 : 1_000, PER_SECOND);
  const latencies = await stream.atPace(context.isQuick ? 50 : 5_000, PER_SECOND);
  await contender.close();
  return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
}
