import type { QueueRef } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import type { RedisStore } from './store.ts';

type Reply = readonly [isDeleted: number, messages: number, hasMore: number];

/** Removes all that the queue holds, at once for whoever uses it. Its topology entry stays. */
export async function deleteQueue(
  store: RedisStore,
  queue: QueueRef,
  options: { readonly onlyIfEmpty: boolean },
): Promise<{ readonly deleted: boolean; readonly messages: number }> {
  const run = (): Promise<unknown> =>
    store.run('delete-queue', [queue.number], [options.onlyIfEmpty ? 1 : '']);
  const reply = await run();
  if (reply instanceof Buffer) throw new QueueNotFoundError(queue.name);
  const [isDeleted, messages, hasMore] = reply as Reply;
  let rest = hasMore;
  while (rest === 1) {
    const next = await run();
    rest = next instanceof Buffer ? 0 : (next as Reply)[2];
  }
  return { deleted: isDeleted === 1, messages };
}

/**
 * Closes one place of a queue, if it holds nothing: as if it were deleted, until it is, or opened.
 * @returns how many messages it holds
 */
export async function closeIfEmpty(store: RedisStore, queue: QueueRef): Promise<number> {
  const reply = await store.run('delete-queue', [queue.number], [2]);
  if (reply instanceof Buffer) throw new QueueNotFoundError(queue.name);
  const [, messages] = reply as Reply;
  return messages;
}

/** Opens a place that was closed, as it was. */
export async function openAgain(store: RedisStore, queue: QueueRef): Promise<void> {
  await store.run('delete-queue', [queue.number], [3]);
}
