import { randomBytes } from 'node:crypto';
import type { Clock } from './core/clock.ts';
import type { Driver } from './core/driver.ts';
import { type Duration, durationToMs } from './core/duration.ts';
import { ValidationError } from './core/errors.ts';
import { type TransferPlan, planTransfer } from './core/transfer/plan.ts';
import { transfer, type TransferProgress, type TransferResult } from './core/transfer/transfer.ts';
import { SystemClock } from './system-clock.ts';
import { withParts } from './with-parts.ts';

/** What `migrate` takes. */
export interface MigrateOptions {
  /** Where the messages are, as `storage` of {@link MessageQueueConfig}. */
  readonly from: string | Driver;
  /** Where they go. */
  readonly to: string | Driver;
  /** Only these queues, with the exchanges that lead to them; left out: everything. */
  readonly queues?: readonly string[];
  /** How long to wait for messages in a consumer's hands, and for room at the target. Default: 0. */
  readonly wait?: Duration;
  /** A queue that the target has with other settings keeps them; else that is an error. */
  readonly keepSettings?: boolean;
  /** Ends it in good order; run it again to go on. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TransferProgress) => void;
  /** For tests. */
  readonly clock?: Clock;
}

/**
 * Moves queues with their messages from one store to another. Both may be in use. Killed at any
 * moment, it is finished by running it again: each message is then at one of the two, once.
 * @returns what became of each queue; messages that somebody held, or that found no room, are left
 * @throws ValidationError, QueueNotFoundError, QueueExistsError, TransferRunningError, StorageError
 */
export async function migrate(options: MigrateOptions): Promise<TransferResult> {
  const { from, to, queues, keepSettings = false, signal, onProgress } = options;
  if (from === to) throw new ValidationError('from and to are the same store.');
  const wait = durationToMs(options.wait ?? 0, 'wait');
  const clock = options.clock ?? new SystemClock();
  return withParts(from, clock, async (source) => {
    // The source goes on as in any process that has it open: what expires, what is due.
    await source.deadLetters.initialize();
    await source.sweeper.start(source.settler);
    source.scheduler.start();
    return withParts(to, clock, (target) => {
      const run = randomBytes(6).toString('hex');
      const how = { queues, wait, keepSettings, run, clock, signal, onProgress };
      return transfer(source, target, how);
    });
  });
}

/**
 * What `migrate` would have to do, without doing it.
 * @param options.to left out: a store that is not there yet
 */
export async function planMigration(
  options: Pick<MigrateOptions, 'from' | 'queues' | 'clock'> & { readonly to?: string | Driver },
): Promise<TransferPlan> {
  const { from, to, queues } = options;
  const clock = options.clock ?? new SystemClock();
  return withParts(from, clock, (source) =>
    to === undefined
      ? planTransfer(source, null, queues)
      : withParts(to, clock, (target) => planTransfer(source, target, queues)),
  );
}
