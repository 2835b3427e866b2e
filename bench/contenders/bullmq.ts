import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Payload } from '../workloads/payload.ts';
import { type Contender, Countdown } from './contender.ts';

const QUEUE = 'bench';
/** Its rate grows up to about this. */
const CONCURRENCY = 200;

/** BullMQ, which removes jobs that are done, as ours does. */
export async function openBullmq(url: string): Promise<Contender> {
  // What its documentation asks of connections that workers use.
  const connection = new Redis(url, { maxRetriesPerRequest: null, enableAutoPipelining: true });
  const queue = new Queue<Payload>(QUEUE, {
    connection,
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
  });
  await queue.waitUntilReady();
  return {
    sendsBestIn: 'batches',
    send: (payload) => queue.add(QUEUE, payload),
    sendBatch: (payloads) => queue.addBulk(payloads.map((data) => ({ name: QUEUE, data }))),
    async consume(count, handle) {
      const countdown = new Countdown(count);
      const blocking = new Redis(url, { maxRetriesPerRequest: null });
      const worker = new Worker<Payload>(QUEUE, async ({ data }) => handle(data), {
        connection: blocking,
        concurrency: CONCURRENCY,
      });
      worker.on('completed', () => countdown.count());
      await worker.waitUntilReady();
      return {
        done: countdown.done,
        async stop() {
          await worker.close();
          blocking.disconnect();
        },
      };
    },
    async close() {
      await queue.close();
      connection.disconnect();
    },
  };
}
