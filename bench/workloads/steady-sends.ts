import { MessageQueueSystem } from 'wherry';
import type { Figures, RunContext } from '../harness/benchmark.ts';
import { quantile } from '../harness/statistics.ts';
import { SyncProbe } from '../harness/sync-probe.ts';
import { consumeMessages, expectStored } from './messages.ts';
import { FIRST_NUMBER, payloadsOf } from './payload.ts';

const QUEUE = 'bench';
const BYTES = 100;
const INTERVAL_MS = 2;
/** Sends and syncs take turns, so that both meet the same moods of the disk. */
const TURN = 100;

/**
 * Sends at a steady 500 per second, whether or not the last one is answered, in turns with syncs of
 * a file beside the store at the same pace.
 * @returns the p50 and p99 of a send and of an fdatasync in milliseconds
 * @throws InvalidRunError when a message did not come exactly once
 */
export async function measureSteadySends(context: RunContext): Promise<Figures> {
  const storage = `lmdb:${context.folder}/store`;
  await using mq = await MessageQueueSystem.open({ storage, queues: [{ name: QUEUE }] });
  using probe = new SyncProbe(context.folder);
  const payloadOf = payloadsOf(BYTES);
  let next = FIRST_NUMBER;
  const send = async (): Promise<number> => {
    const start = performance.now();
    await mq.sendMessage(QUEUE, { payload: payloadOf(next++) });
    return performance.now() - start;
  };
  const sync = async (): Promise<number> => probe.sync();

  const sends: number[] = [];
  const syncs: number[] = [];
  await atSteadyPace(TURN, send);
  await atSteadyPace(TURN, sync);
  for (let turn = 0; turn < (context.isQuick ? 1 : 30); turn++) {
    sends.push(...(await atSteadyPace(TURN, send)));
    syncs.push(...(await atSteadyPace(TURN, sync)));
  }

  const count = next - FIRST_NUMBER;
  await expectStored(mq, QUEUE, count);
  await consumeMessages(mq, { queue: QUEUE, first: FIRST_NUMBER, count, bytes: BYTES });
  await expectStored(mq, QUEUE, 0);
  return {
    'send p50': quantile(sends, 0.5),
    'send p99': quantile(sends, 0.99),
    'fdatasync p50': quantile(syncs, 0.5),
    'fdatasync p99': quantile(syncs, 0.99),
  };
}

/**
 * Calls `work` 500 times per second, whether or not the last call has ended.
 * @returns what the calls came to
 */
export async function atSteadyPace(count: number, work: () => Promise<number>): Promise<number[]> {
  const results: Promise<number>[] = [];
  const start = performance.now();
  while (results.length < count) {
    const wait = start + results.length * INTERVAL_MS - performance.now();
    // A timer is never early by more than a millisecond's rounding, which the next one makes up for.
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    results.push(work());
  }
  return Promise.all(results);
}
