import BeeQueue from 'bee-queue';
import type { Payload } from '../workloads/payload.ts';
import { type Contender, Countdown } from './contender.ts';

const QUEUE = 'bench';
/** Its rate grows up to about this. */
const CONCURRENCY = 500;

/** bee-queue with everything off that costs and that a plain queue does without. */
export async function openBeeQueue(url: string): Promise<Contender> {
  const settings = {
    redis: { url } as unknown as BeeQueue.QueueSettings['redis'],
    getEvents: false,
    sendEvents: false,
    storeJobs: false,
    removeOnSuccess: true,
    activateDelayedJobs: false,
  };
  const sender = new BeeQueue<Payload>(QUEUE, { ...settings, isWorker: false });
  await sender.ready();
  return {
    sendsBestIn: 'ones',
    send: (payload) => sender.createJob(payload).save(),
    async sendBatch(payloads) {
      const failed = await sender.saveAll(payloads.map((payload) => sender.createJob(payload)));
      for (const error of failed.values()) throw error;
    },
    async consume(count, handle) {
      const countdown = new Countdown(count);
      const worker = new BeeQueue<Payload>(QUEUE, settings);
      worker.on('succeeded', () => countdown.count());
      await worker.ready();
      worker.process(CONCURRENCY, async ({ data }: BeeQueue.Job<Payload>) => handle(data));
      return { done: countdown.done, stop: () => worker.close(30_000) };
    },
    close: () => sender.close(),
  };
}
