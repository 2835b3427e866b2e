import { setTimeout as sleep } from 'node:timers/promises';
import {
  MessageQueueError,
  type MessageQueueSystem,
  type RedriveOptions,
} from '../../../src/index.ts';
import type { QueueOp } from '../history.ts';
import { PURGED, SYSTEM_DEAD_LETTERS } from '../plan.ts';
import type { Random } from '../random.ts';
import type { Recorder } from '../recorder.ts';
import { audit } from './audit.ts';
import type { Consumers } from './consumers.ts';
import type { Gate } from './gate.ts';

export interface HousekeepingParts {
  readonly mq: MessageQueueSystem;
  readonly recorder: Recorder;
  readonly consumers: Consumers;
  readonly gate: Gate;
  readonly random: Random;
  /** Whether there are times at which nothing changes. */
  readonly audits: boolean;
  readonly signal: AbortSignal;
}

const DEAD_LETTER_QUEUES = ['plain-dead', 'timed-dead', 'bounded-dead', SYSTEM_DEAD_LETTERS];

/** What an administrator does now and then, while everything goes on. */
export async function keepHouse(parts: HousekeepingParts): Promise<void> {
  const { random, signal, audits } = parts;
  while (!signal.aborted) {
    await sleep(random.integer(10, 80));
    if (signal.aborted) return;
    const job = random.weighted({ redrive: 6, purge: 3, audit: audits ? 2 : 0 });
    if (job === 'audit') await auditInPeace(parts);
    else if (job === 'purge') await purge(parts.mq, parts.recorder);
    else await redrive(parts.mq, parts.recorder, { from: random.pick(DEAD_LETTER_QUEUES) });
  }
}

export async function redrive(
  mq: MessageQueueSystem,
  recorder: Recorder,
  options: RedriveOptions & { readonly from: string },
): Promise<void> {
  await recordQueueOp(recorder, 'redrive', options.from, async () => {
    const { moved } = await mq.deadLetterQueue.redrive(options);
    return moved;
  });
}

async function purge(mq: MessageQueueSystem, recorder: Recorder): Promise<void> {
  await recordQueueOp(recorder, 'purge', PURGED, () => mq.purgeQueue(PURGED));
}

async function recordQueueOp(
  recorder: Recorder,
  op: QueueOp,
  queue: string,
  work: () => Promise<number>,
): Promise<void> {
  const call = recorder.nextCall();
  recorder.record({ op, phase: 'invoke', call, queue });
  try {
    recorder.record({ op, phase: 'ok', call, count: await work() });
  } catch (error) {
    if (!(error instanceof MessageQueueError)) throw error;
    recorder.record({ op, phase: 'info', call, error: error.code });
  }
}

/** Holds everybody up, so that counts and contents can be compared in the middle of the work. */
async function auditInPeace({ mq, recorder, consumers, gate }: HousekeepingParts): Promise<void> {
  await gate.close();
  await consumers.pause();
  recorder.record(await audit(mq));
  consumers.resume();
  gate.open();
}
