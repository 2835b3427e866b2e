import type { Driver, QueueRef, StoredMessage } from '../driver.ts';
import { TransferRunningError } from '../errors.ts';
import { type BatchLabel, formatLabel, parseLabel } from './batch-label.ts';
import type { Held } from './held.ts';
import { browseAll } from './places.ts';

/** A batch that a run leased at the source and did not live to finish. */
export interface UnfinishedBatch {
  readonly label: BatchLabel;
  readonly messages: readonly Held[];
}

/**
 * What runs that were killed left in their hands, as far as their leases have not ended.
 * @param pause waits longer than a run that lives looks the same
 * @throws TransferRunningError when one of them lives
 */
export async function unfinishedBatches(
  driver: Driver,
  queue: QueueRef,
  pause: () => Promise<void>,
): Promise<UnfinishedBatch[]> {
  const batches = await labelled(driver, queue);
  if (batches.size === 0) return [];
  await pause();
  // Of a batch that a living run has just begun to take or to settle, only a part might be seen.
  if (!isSame(batches, await labelled(driver, queue))) throw new TransferRunningError(queue.name);
  return [...batches.values()].toSorted((a, b) => a.label.batch - b.label.batch);
}

async function labelled(driver: Driver, queue: QueueRef): Promise<Map<string, UnfinishedBatch>> {
  const batches = new Map<string, { label: BatchLabel; messages: Held[] }>();
  for await (const messages of browseAll(driver, queue, 'leased')) {
    for (const message of messages.filter(isHeld)) {
      const label = parseLabel(message.lease.consumerId);
      if (label === null) continue;
      const key = formatLabel(label);
      const batch = batches.get(key) ?? { label, messages: [] };
      batch.messages.push(message);
      batches.set(key, batch);
    }
  }
  return batches;
}

function isHeld(message: StoredMessage): message is Held {
  return message.lease !== null;
}

function isSame(
  before: ReadonlyMap<string, UnfinishedBatch>,
  after: ReadonlyMap<string, UnfinishedBatch>,
): boolean {
  const sizes = (batches: ReadonlyMap<string, UnfinishedBatch>): string =>
    JSON.stringify(
      Array.from(batches, ([key, { messages }]) => [key, messages.map(({ id }) => id).toSorted()]),
    );
  return sizes(before) === sizes(after);
}
