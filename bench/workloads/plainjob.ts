import { join } from 'node:path';
import type { Figures } from '../harness/benchmark.ts';
import { DeliveryCheck } from '../harness/delivery-check.ts';
import { rateOf } from './lanes.ts';
import { FIRST_NUMBER, type Payload, payloadsOf } from './payload.ts';
import { OUTSTANDING } from './wherry.ts';

const JOB_TYPE = 'bench';
const silent = { error() {}, warn() {}, info() {}, debug() {} };

/**
 * The peer: a job queue on SQLite in one process, as its README sets it up. It does not fsync.
 * @returns jobs added one by one, added in batches, and consumed by a worker, per second each
 * @throws InvalidRunError when a job did not come exactly once
 */
export async function measurePlainjob(
  folder: string,
  { bytes, messages }: { readonly bytes: number; readonly messages: number },
): Promise<Figures> {
  // Loaded here, so that the other runs do without what must be compiled on installation.
  const { default: Database } = await import('better-sqlite3');
  const { better, defineQueue, defineWorker } = await import('plainjob');
  const connection = better(new Database(join(folder, 'jobs.db')));
  const queue = defineQueue({ connection, logger: silent });
  const payloadOf = payloadsOf(bytes);
  let first = FIRST_NUMBER;

  const addOneByOne = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) queue.add(JOB_TYPE, payloadOf(first + i));
  };
  const addBatches = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += OUTSTANDING) {
      const length = Math.min(OUTSTANDING, count - i);
      queue.addMany(
        JOB_TYPE,
        Array.from({ length }, (_, k) => payloadOf(first + i + k)),
      );
    }
  };
  const consumeAll = async (count: number): Promise<void> => {
    const check = new DeliveryCheck(first, count);
    const work = async ({ data }: { data: string }): Promise<void> => {
      check.mark((JSON.parse(data) as Payload).number);
      if (check.isComplete) void worker.stop();
    };
    const worker = defineWorker(JOB_TYPE, work, { queue, logger: silent });
    await worker.start();
    check.verify();
    first += count;
  };

  const half = messages / 2;
  await addOneByOne(messages / 10);
  await consumeAll(messages / 10);
  const add = await rateOf(half, () => addOneByOne(half));
  await consumeAll(half);
  const addMany = await rateOf(messages, () => addBatches(messages));
  const consume = await rateOf(messages, () => consumeAll(messages));
  queue.close();
  return { add, addMany, consume };
}
