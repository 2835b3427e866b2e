import type { BrowsePage, BrowseRequest, QueueCounts, QueueRef } from '../../../core/driver.ts';
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
    const held = await Promise.all(all.map((place) => closeIfEmpty(store, place)));
    const messages = held.reduce((total, one) => total + one, 0);
    if (messages > 0) {
      await Promise.all(all.map((place) => openAgain(store, place)));
      return { deleted: false, messages };
    }
  }
  const force = { onlyIfEmpty: false };
  const results = await Promise.all(all.map((place) => deleteQueue(store, place, force)));
  return { deleted: true, messages: results.reduce((total, { messages }) => total + messages, 0) };
}
