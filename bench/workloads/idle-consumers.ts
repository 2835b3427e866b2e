import { setTimeout } from 'node:timers/promises';
import { MessageQueueSystem } from 'wherry';
import { DeliveryCheck } from '../harness/delivery-check.ts';
import type { Figures, RunContext } from '../harness/benchmark.ts';
import type { Payload } from './payload.ts';

const CONSUMERS = 100;

/**
 * Consumers that have nothing to do, each on a queue of its own, with the settings that they have
 * by default. Each gets one message before and one after, to show that it lives.
 * @returns the processor time that the process uses meanwhile, as a share of one core
 * @throws InvalidRunError when a message did not come exactly once
 */
export async function measureIdleConsumers(context: RunContext): Promise<Figures> {
  const names = Array.from({ length: CONSUMERS }, (_, index) => `queue-${index}`);
  await using mq = await MessageQueueSystem.open({
    storage: `lmdb:${context.folder}/store`,
    queues: names.map((name) => ({ name })),
  });
  const check = new DeliveryCheck(0, 2 * CONSUMERS);
  const handler = ({ payload }: { readonly payload: Payload }): void => check.mark(payload.number);
  for (const name of names)
    await mq.createConsumer<Payload>({ id: name, queueName: name, handler });
  const sendToEach = (first: number): Promise<unknown> =>
    Promise.all(
      names.map((name, index) =>
        mq.sendMessage(name, { payload: { number: first + index, text: '' } }),
      ),
    );

  await sendToEach(0);
  await setTimeout(context.isQuick ? 100 : 1_000);
  // Each looks four times without having been woken; what the start left to collect weighs little.
  const before = process.cpuUsage();
  const start = performance.now();
  await setTimeout(context.isQuick ? 200 : 20_000);
  const { user, system } = process.cpuUsage(before);
  const idle = (user + system) / 1_000 / (performance.now() - start);

  await sendToEach(CONSUMERS);
  for (let waited = 0; !check.isComplete && waited < 1_000; waited += 10) await setTimeout(10);
  await mq.close();
  check.verify();
  return { idle };
}
