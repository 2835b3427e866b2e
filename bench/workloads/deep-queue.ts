import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MessageQueueSystem } from 'wherry';
import type { Figures, RunContext } from '../harness/benchmark.ts';
import { rateOf } from './lanes.ts';
import { type Messages, consumeMessages, expectStored, sendInOrder } from './messages.ts';
import { FIRST_NUMBER } from './payload.ts';

export const QUEUE = 'bench';
const BYTES = 100;
/** Consumed at a time, then sent anew: most of the shallow backlog, but neither queue empties. */
const SLICE = 8_000;
const SLICES = 25;
const QUICK_SLICE = 500;
/** For the compiler. */
const WARM_UP_SLICES = 5;

/** A filled queue, and the folder in which is written down what it holds. */
export interface DeepQueue {
  readonly storage: string;
  readonly folder: string;
}

/** @returns a queue in a folder of its own */
export function queueIn(folder: string): DeepQueue {
  return { storage: `lmdb:${folder}/store`, folder };
}

/**
 * Fills a queue.
 * @param others messages that the queue holds beside these, and that nobody gets
 * @param log told what is done so far
 */
export async function fillQueue(
  queue: DeepQueue,
  count: number,
  log: (line: string) => void = () => {},
  others = 0,
): Promise<void> {
  await using mq = await openQueue(queue);
  const step = Math.ceil(count / 10);
  for (let done = 0; done < count; done += step) {
    const messages = messagesFrom(FIRST_NUMBER + done, Math.min(step, count - done));
    await sendInOrder(mq, messages);
    log(
      `${(done + messages.count).toLocaleString('en-US')} of ${count.toLocaleString('en-US')} sent`,
    );
  }
  await expectStored(mq, QUEUE, count + others);
  writeBounds(queue, { first: FIRST_NUMBER, end: FIRST_NUMBER + count, others });
}

/**
 * Consumes the oldest of a filled queue, slice by slice, and sends as many anew after each.
 * @returns messages consumed per second (the sends are not timed), seconds to open the store, and
 *   anonymous memory in MB after the opening and at the end
 * @throws InvalidRunError when a message did not come exactly once
 */
export async function measureDeepQueue(
  queue: DeepQueue,
  { isQuick }: RunContext,
): Promise<Figures> {
  const bounds = readBounds(queue);
  const opening = performance.now();
  await using mq = await openQueue(queue);
  const open = (performance.now() - opening) / 1_000;
  const memoryAfterOpen = anonymousMegabytes();

  const size = isQuick ? QUICK_SLICE : SLICE;
  let seconds = 0;
  const consumeSlice = async (): Promise<void> => {
    const slice = messagesFrom(bounds.first, size);
    seconds += size / (await rateOf(size, () => consumeMessages(mq, slice)));
    bounds.first += size;
    await sendInOrder(mq, messagesFrom(bounds.end, size));
    bounds.end += size;
    await expectStored(mq, QUEUE, bounds.end - bounds.first + bounds.others);
  };
  for (let i = 0; i < (isQuick ? 1 : WARM_UP_SLICES); i++) await consumeSlice();
  seconds = 0;
  const slices = isQuick ? 2 : SLICES;
  for (let i = 0; i < slices; i++) await consumeSlice();
  const memoryAfterConsuming = anonymousMegabytes();
  writeBounds(queue, bounds);
  return { consume: (slices * size) / seconds, open, memoryAfterOpen, memoryAfterConsuming };
}

export function openQueue({ storage }: DeepQueue): Promise<MessageQueueSystem> {
  return MessageQueueSystem.open({ storage, queues: [{ name: QUEUE }] });
}

function messagesFrom(first: number, count: number): Messages {
  return { queue: QUEUE, first, count, bytes: BYTES };
}

/** The numbers of the messages that a queue holds, kept for the next run beside its store. */
interface Bounds {
  first: number;
  /** One beyond the last. */
  end: number;
  readonly others: number;
}

function writeBounds({ folder }: DeepQueue, bounds: Bounds): void {
  writeFileSync(join(folder, 'bounds.json'), JSON.stringify(bounds));
}

function readBounds({ folder }: DeepQueue): Bounds {
  return JSON.parse(readFileSync(join(folder, 'bounds.json'), 'utf8')) as Bounds;
}

/** What the process holds beside mapped files, which the system may take back at any time. */
function anonymousMegabytes(): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error('This system does not tell a process its RssAnon.');
  return (Number(kibibytes) * 1_024) / 1e6;
}
