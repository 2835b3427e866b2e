import type { BrowsePage, BrowseRequest, QueueCounts, QueueRef } from '../../../core/driver.ts';
import { QueueNotFoundError } from '../../../core/errors.ts';
import { browse } from '../browse.ts';
import { counts } from '../counts.ts';
import { closeIfEmpty, deleteQueue, openAgain } from '../delete-queue.ts';
import { purge } from '../purge.ts';
import type { RedisStore } from '../store.ts';
import type { Places } from './places.ts';

/** The counts of all places together: each exact. */
export async function countsOfAll(
  store: RedisStore,
  places: Places,
  queue: QueueRef,
): Promise<QueueCounts> {
  const all = await Promise.all((await places.of(queue)).map((place) => counts(store, place)));
  const sum = (of: (one: QueueCounts) => number): number =>
    all.reduce((total, one) => total + of(one), 0);
  const oldest = all.flatMap(({ oldestTimestamp }) => oldestTimestamp ?? []);
  return {
    ready: sum(({ ready }) => ready),
    scheduled: sum(({ scheduled }) => scheduled),
    leased: sum(({ leased }) => leased),
    bytes: sum(({ bytes }) => bytes),
    oldestTimestamp: oldest.length === 0 ? null : Math.min(...oldest),
    arrived: sum(({ arrived }) => arrived),
  };
}

/** One place after the other. */
export async function browseAll(
  store: RedisStore,
  places: Places,
  request: BrowseRequest,
): Promise<BrowsePage> {
  const all = await places.of(request.queue);
  const [, index = '0', cursor = ''] = /^(\d+):(.*)$/s.exec(request.cursor ?? '') ?? [];
  const at = Number(index);
  const { cursor: own, ...rest } = request;
  const page = await browse(store, {
    ...rest,
    queue: all[at]!,
    ...(own !== undefined && cursor !== '' && { cursor }),
  });
  if (page.cursor !== null) return { messages: page.messages, cursor: `${at}:${page.cursor}` };
  return { messages: page.messages, cursor: at + 1 < all.length ? `${at + 1}:` : null };
}

export async function purgeAll(
  store: RedisStore,
  places: Places,
  queue: QueueRef,
): Promise<number> {
  const removed = await Promise.all((await places.of(queue)).map((place) => purge(store, place)));
  return removed.reduce((total, one) => total + one, 0);
}

/** Deletes all places, or none: each is closed first, and opened again when another holds something. */
export async function deleteAll(
  store: RedisStore,
  places: Places,
  queue: QueueRef,
  options: { readonly onlyIfEmpty: boolean },
): Promise<{ readonly deleted: boolean; readonly messages: number }> {
  const all = await places.of(queue);
  if (options.onlyIfEmpty) {
    const held = await Promise.allSettled(all.map((place) => closeIfEmpty(store, place)));
    const messages = sumOf(held);
    const failed = failureOf(held);
    if (messages > 0 || failed !== undefined) {
      await Promise.allSettled(all.map((place) => openAgain(store, place)));
      if (failed !== undefined) throw failed;
      return { deleted: false, messages };
    }
  }
  const results = await Promise.allSettled(
    all.map(async (place) => (await deleteQueue(store, place, { onlyIfEmpty: false })).messages),
  );
  const failed = failureOf(results);
  if (failed !== undefined) throw failed;
  // Places that were deleted before, by who then failed at another.
  if (results.every(({ status }) => status === 'rejected')) {
    throw new QueueNotFoundError(queue.name);
  }
  return { deleted: true, messages: sumOf(results) };
}

function sumOf(results: readonly PromiseSettledResult<number>[]): number {
  return results.reduce((sum, one) => sum + (one.status === 'fulfilled' ? one.value : 0), 0);
}

/** @returns why a place could not be reached; that it is gone already is no failure */
function failureOf(results: readonly PromiseSettledResult<unknown>[]): Error | undefined {
  const reasons = results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  return (reasons as Error[]).find((reason) => !(reason instanceof QueueNotFoundError));
}
