import { join } from 'node:path';
import { MessageQueueSystem } from 'wherry';
import type { Figures, RunContext } from '../harness/benchmark.ts';
import { quantile } from '../harness/statistics.ts';
import { ServerProcess } from './broker.ts';
import { rateOf } from './lanes.ts';
import { consumeMessages, sendMessages } from './messages.ts';
import { FIRST_NUMBER, payloadsOf } from './payload.ts';
import { measureQueue, OUTSTANDING } from './wherry.ts';

const QUEUE = 'bench';
const BYTES = 100;

/** What a run does: `measureQueue`'s warm-up, batch and through traffic, with its lone sends. */
export function loadOf({ isQuick }: RunContext): { messages: number; loneSends: number } {
  return isQuick ? { messages: 2_000, loneSends: 20 } : { messages: 100_000, loneSends: 1_000 };
}

/**
 * A client of a store on disk in another process on the same machine.
 * @param file the program that serves the store, beside this one
 * @returns as `measureQueue`, with quantiles of a lone send in milliseconds and the processor time
 *   of a message that goes in and out, of both processes, in microseconds
 * @throws InvalidRunError when a message did not come exactly once
 */
export async function measureRemote(context: RunContext, file: string): Promise<Figures> {
  const load = loadOf(context);
  await using server = await ServerProcess.start(file, join(context.folder, 'store'));
  const rates = await measureQueue({ ...load, storage: server.url, bytes: BYTES });
  await using mq = await MessageQueueSystem.open({ storage: server.url });
  const lone = await timeLoneSends(mq, load.loneSends);
  const cpuBefore = { server: server.cpuMs(), client: process.cpuUsage() };
  const traffic = { queue: QUEUE, first: FIRST_NUMBER, count: load.messages, bytes: BYTES };
  await rateOf(load.messages, async () => {
    await sendMessages(mq, traffic, OUTSTANDING);
    await consumeMessages(mq, traffic);
  });
  const { user, system } = process.cpuUsage(cpuBefore.client);
  const serverUs = (server.cpuMs() - cpuBefore.server) * 1_000;
  return {
    ...rates,
    p50: quantile(lone, 0.5),
    p99: quantile(lone, 0.99),
    'server cpu': serverUs / load.messages,
    'client cpu': (user + system) / load.messages,
  };
}

/** @returns milliseconds of each send, one after the other */
async function timeLoneSends(mq: MessageQueueSystem, count: number): Promise<number[]> {
  const payloadOf = payloadsOf(BYTES);
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await mq.sendMessage(QUEUE, { payload: payloadOf(FIRST_NUMBER + i) });
    times.push(performance.now() - start);
  }
  await consumeMessages(mq, { queue: QUEUE, first: FIRST_NUMBER, count, bytes: BYTES });
  return times;
}
