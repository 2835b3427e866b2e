import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MessageQueueSystem } from 'wherry';
import type { Figures, RunContext } from '../harness/benchmark.ts';
import { rateOf } from './lanes.ts';
import { type Messages, consumeMessages, expectStored, sendMessages } from './messages.ts';
import { FIRST_NUMBER } from './payload.ts';
import { OUTSTANDING } from './wherry.ts';

const QUEUE = 'bench';
const BYTES = 100;
/** Consumed at a time, then sent anew: most of the shallow backlog, but neither queue empties. */
const SLICE = 8_000;
const SLICES = 25;
/** For the compiler. */
const WARM_UP_SLICES = 5;

/** Fills a queue in `folder`. @param log told what is done so far */
export async function fillQueue(
  folder: string,
  count: number,
  log: (line: string) => void = () => {},
): Promise<void> {
  await using mq = await openQueue(folder);
  const step = Math.ceil(count / 10);
  for (let done = 0; done < count; done += step) {
    const messages = messagesFrom(FIRST_NUMBER + done, Math.min(step, count - done));
    await sendMessages(mq, messages, OUTSTANDING);
    log(
      `${(done + messages.count).toLocaleString('en-US')} of ${count.toLocaleString('en-US')} sent`,
    );
  }
  await expectStored(mq, QUEUE, count);
  writeBounds(folder, { first: FIRST_NUMBER, end: FIRST_NUMBER + count });
}

/**
 * Consumes the oldest of a filled queue, slice by slice, and sends as many anew after each.
 * @returns messages consumed per second (the sends are not timed), seconds to open the store, and
 *   anonymous memory in MB after the opening and at the end
 * @throws InvalidRunError when a message did not come exactly once
 */
export async function measureDeepQueue(folder: string, { isQuick }: RunContext): Promise<Figures> {
  const bounds = readBounds(folder);
  const opening = performance.now();
  await using mq = await openQueue(folder);
  const open = (performance.now() - opening) / 1_000;
  const memoryAfterOpen = anonymousMegabytes();

  let seconds = 0;
  const consumeSlice = async (): Promise<void> => {
    const slice = messagesFrom(bounds.first, SLICE);
    seconds += SLICE / (await rateOf(SLICE, () => consumeMessages(mq, slice)));
    bounds.first += SLICE;
    await sendMessages(mq, messagesFrom(bounds.end, SLICE), OUTSTANDING);
    bounds.end += SLICE;
    await expectStored(mq, QUEUE, bounds.end - bounds.first);
  };
  for (let i = 0; i < (isQuick ? 1 : WARM_UP_SLICES); i++) await consumeSlice();
  seconds = 0;
  const slices = isQuick ? 2 : SLICES;
  for (let i = 0; i < slices; i++) await consumeSlice();
  const memoryAfterConsuming = anonymousMegabytes();
  writeBounds(folder, bounds);
  return { consume: (slices * SLICE) / seconds, open, memoryAfterOpen, memoryAfterConsuming };
}

function openQueue(folder: string): Promise<MessageQueueSystem> {
  return MessageQueueSystem.open({ storage: `lmdb:${folder}/store`, queues: [{ name: QUEUE }] });
}

function messagesFrom(first: number, count: number): Messages {
  return { queue: QUEUE, first, count, bytes: BYTES };
}

/** The numbers of the messages that a queue holds, kept for the next run beside its store. */
interface Bounds {
  first: number;
  /** One beyond the last. */
  end: number;
}

function writeBounds(folder: string, bounds: Bounds): void {
  writeFileSync(join(folder, 'bounds.json'), JSON.stringify(bounds));
}

function readBounds(folder: string): Bounds {
  return JSON.parse(readFileSync(join(folder, 'bounds.json'), 'utf8')) as Bounds;
}

/** What the process holds beside mapped files, which the system may take back at any time. */
function anonymousMegabytes(): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error('This system does not tell a process its RssAnon.');
  return (Number(kibibytes) * 1_024) / 1e6;
}
