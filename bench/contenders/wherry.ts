import { MessageQueueSystem, type QueueSettingsInput } from 'wherry';
import type { Payload } from '../workloads/payload.ts';
import { type Contender, Countdown } from './contender.ts';

const QUEUE = 'bench';
const BATCH = 1_000;

/** Ours, as a program uses it. */
export async function openWherry(
  url: string,
  settings: QueueSettingsInput = {},
): Promise<Contender> {
  const mq = await MessageQueueSystem.open({
    storage: url,
    queues: [{ name: QUEUE, ...settings }],
  });
  return {
    sendsBestIn: 'ones',
    send: (payload) => mq.sendMessage(QUEUE, { payload }),
    async sendBatch(payloads) {
      const results = await mq.sendBatch(
        QUEUE,
        payloads.map((payload) => ({ payload })),
      );
      const failed = results.find((result) => !result.ok);
      if (failed !== undefined) throw failed.error;
    },
    async consume(count, handle) {
      const countdown = new Countdown(count);
      const acknowledged = (): void => countdown.count();
      mq.events.on('acknowledged', acknowledged);
      const consumer = await mq.createConsumer<Payload>({
        id: 'bench',
        queueName: QUEUE,
        batchSize: BATCH,
        concurrency: BATCH,
        handler: async ({ payload }) => handle(payload),
      });
      return {
        done: countdown.done,
        async stop() {
          await mq.consumerManager.stopConsumer(consumer.id);
          mq.events.off('acknowledged', acknowledged);
        },
      };
    },
    close: () => mq.close(),
  };
}
