import type { Clock } from '../clock.ts';
import { readDefinitions, writeDefinitions } from './definitions.ts';
import { QueueTransfer, type Tally } from './queue-transfer.ts';
import { type MovedSchedules, moveSchedules, schedulesOf } from './schedules.ts';
import { isVolatile, type Side } from './side.ts';
import { sleep } from './sleep.ts';

export interface TransferOptions {
  /** Only these queues; left out: all. */
  readonly queues: readonly string[] | undefined;
  /** Milliseconds to wait for messages in somebody's hands, and for room at the target. */
  readonly wait: number;
  /** Queues that the target has with other settings keep them; else that is an error. */
  readonly keepSettings: boolean;
  /** Drawn for this run, and never again. */
  readonly run: string;
  readonly clock: Clock;
  /** Ends the transfer in good order; another run goes on. */
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: TransferProgress) => void) | undefined;
}

export interface TransferProgress {
  /** The queue that is being moved. */
  readonly queue: string;
  /** Messages moved, of all queues. */
  readonly moved: number;
  /** Messages there were at the start. */
  readonly total: number;
}

/** What became of a queue. */
export interface TransferredQueue extends Readonly<Tally> {
  readonly name: string;
  /** What is still at the source. */
  readonly left: { readonly ready: number; readonly scheduled: number; readonly leased: number };
  /** The target would hold its messages in the memory of this process only: they were left. */
  readonly isVolatile: boolean;
}

export interface TransferResult {
  readonly queues: readonly TransferredQueue[];
  readonly exchanges: number;
  readonly bindings: number;
  readonly schedules: MovedSchedules;
}

/** A run that lives does something within this time. */
const LOOK_AGAIN_MS = 1_000;
const PAUSE_MS = 200;

/**
 * Moves queues from a store to another: definitions are copied, messages
 * and schedules moved. A transfer that was
 * ended or killed at any moment is finished by running it again with the same target.
 * @throws QueueNotFoundError, QueueExistsError, TransferRunningError, StorageError
 */
export async function transfer(
  source: Side,
  target: Side,
  options: TransferOptions,
): Promise<TransferResult> {
  const definitions = readDefinitions(source.topology, options.queues);
  await writeDefinitions(target, definitions, options);
  const entries = schedulesOf(source, definitions);
  const schedules = await moveSchedules(source, target, entries, options);
  const names = definitions.queues.map(({ name }) => name);
  const stored = await Promise.all(names.map((name) => left(source, name)));
  const total = stored.reduce((sum, counts) => sum + sumOf(counts), 0);
  const queues: TransferredQueue[] = [];
  let moved = 0;
  for (const name of names) {
    const beforeBatch = (tally: Tally): void => {
      options.onProgress?.({ queue: name, moved: moved + tally.moved, total });
      options.signal?.throwIfAborted();
    };
    const queue = await transferQueue(source, target, name, options, beforeBatch);
    queues.push(queue);
    moved += queue.moved;
  }
  const { exchanges, bindings } = definitions;
  return { queues, exchanges: exchanges.length, bindings: bindings.length, schedules };
}

async function transferQueue(
  source: Side,
  target: Side,
  name: string,
  { wait, run, clock }: TransferOptions,
  beforeBatch: (tally: Tally) => void,
): Promise<TransferredQueue> {
  const queue = new QueueTransfer({ source, target }, name, run, beforeBatch);
  const result = async (): Promise<TransferredQueue> => ({
    name,
    ...queue.tally,
    left: await left(source, name),
    isVolatile: isVolatile(target, name),
  });
  beforeBatch(queue.tally);
  if (isVolatile(target, name)) return result();
  await queue.finishOthers(() => sleep(clock, LOOK_AGAIN_MS));
  const deadline = clock.now() + wait;
  for (;;) {
    await queue.pass();
    const done = await result();
    const isDone = sumOf(done.left) === 0 || clock.now() >= deadline;
    if (isDone) return done;
    await sleep(clock, Math.min(PAUSE_MS, deadline - clock.now()));
  }
}

async function left({ driver, topology }: Side, name: string): Promise<TransferredQueue['left']> {
  const { ready, scheduled, leased } = await driver.counts(topology.ref(name));
  return { ready, scheduled, leased };
}

function sumOf({ ready, scheduled, leased }: TransferredQueue['left']): number {
  return ready + scheduled + leased;
}
