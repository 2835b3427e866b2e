import type { QueueRef } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import type { DataContext } from './context.ts';

/** Removes the queue's topology entry and all it holds. */
export async function deleteQueue(
  { database }: DataContext,
  queue: QueueRef,
  { onlyIfEmpty }: { readonly onlyIfEmpty: boolean },
): Promise<{ readonly deleted: boolean; readonly messages: number }> {
  const [row] = await database.call<{ deleted: boolean; messages: number | null }>('delete_queue', [
    queue.number,
    onlyIfEmpty,
  ]);
  const { deleted, messages } = row!;
  if (messages === null) throw new QueueNotFoundError(queue.name);
  return { deleted, messages };
}
