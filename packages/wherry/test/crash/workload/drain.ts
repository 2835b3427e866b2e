import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageQueueSystem } from '../../../src/index.ts';
import { monotonicNow } from '../history.ts';
import { RESCUE_QUEUE } from '../checker/model.ts';
import type { Random } from '../random.ts';
import type { Recorder } from '../recorder.ts';
import { audit } from './audit.ts';
import type { Deliveries, Receiver } from './deliveries.ts';
import { redrive } from './housekeeping.ts';

/** Above any deadline: a lost wake-up must not go unnoticed. */
const POLL_MS = 60_000;
const LEASE_MS = 30_000;

/**
 * Takes everything out, dead letters too, acknowledging it at once; parked ones are redriven. What
 * is left is for the checker to complain about.
 * @param drainMs milliseconds after which it gives up
 */
export async function drain(
  mq: MessageQueueSystem,
  recorder: Recorder,
  deliveries: Deliveries,
  random: Random,
  drainMs: number,
): Promise<void> {
  const names = mq.listQueues().map(({ name }) => name);
  const deadLetters = names.filter((name) => name.includes('dead'));
  for (const name of deadLetters)
    if (random.chance(0.5)) await redrive(mq, recorder, { from: name });
  for (const name of names) await consumeAll(mq, deliveries, name, random);
  const deadline = monotonicNow() + drainMs;
  while (monotonicNow() < deadline) {
    const infos = await mq.listQueueInfo();
    if (infos.every(({ messageCount }) => messageCount === 0)) break;
    await rescueParked(mq, recorder, deadLetters);
    await sleep(10);
  }
  recorder.record(await audit(mq));
}

async function consumeAll(
  mq: MessageQueueSystem,
  deliveries: Deliveries,
  queueName: string,
  random: Random,
): Promise<void> {
  const id = `drain-${queueName}`;
  const receiver: Receiver = { consumer: id, bound: true, leaseDuration: LEASE_MS };
  await mq.createConsumer({
    id,
    queueName,
    leaseDuration: LEASE_MS,
    pollInterval: POLL_MS,
    batchSize: random.integer(1, 32),
    concurrency: random.integer(1, 4),
    handler: async (delivery) => {
      deliveries.delivered([delivery], receiver, true);
      // Yields, so that several handlers run at a time.
      await Promise.resolve();
      deliveries.willSettle('ack', delivery, null);
    },
  });
}

/** A parked one waits for a person, and holds its group up. */
async function rescueParked(
  mq: MessageQueueSystem,
  recorder: Recorder,
  deadLetters: readonly string[],
): Promise<void> {
  for (const from of deadLetters) {
    const { messages } = await mq.browse(from, { state: 'scheduled' });
    const ids = messages.filter(({ parked }) => parked !== null).map(({ id }) => id);
    if (ids.length > 0) await redrive(mq, recorder, { from, to: RESCUE_QUEUE, ids });
  }
}
