import {
  type ExtendItem,
  type LostIndexes,
  NEVER,
  type QueueRef,
  type Receipt,
  type ReleaseItem,
} from '../../core/driver.ts';
import { encodeReceipts } from './receipts.ts';
import type { ScriptName } from './scripts.ts';
import { isSameQueue, settingsOf } from './settings.ts';
import { type News, type RedisStore, tellNews } from './store.ts';

type Reply = readonly [news: News, lost: readonly number[]];

/** What one script works on at most: more would keep the server from others. */
const CALL_MAX = 2_000;

/** leased -> gone. */
export async function settle(
  store: RedisStore,
  receipts: readonly Receipt[],
): Promise<LostIndexes> {
  return forHeld(store, 'settle', receipts, () => null);
}

/** leased -> ready or scheduled. */
export async function release(
  store: RedisStore,
  items: readonly ReleaseItem[],
): Promise<LostIndexes> {
  const receipts = items.map((item) => item.receipt);
  return forHeld(store, 'release', receipts, (index) => wayBack(items[index]!));
}

/** Leases end later, counted from now. */
export async function extend(
  store: RedisStore,
  items: readonly ExtendItem[],
): Promise<LostIndexes> {
  const receipts = items.map((item) => item.receipt);
  return forHeld(store, 'extend', receipts, (index) =>
    Math.min(items[index]!.leaseDuration, NEVER),
  );
}

/** How a message goes back, as lua/release.lua reads it: without `delay`, it never comes up. */
function wayBack({ delay, as, suspect, parked }: ReleaseItem): object {
  return {
    ...(delay !== Infinity && { delay }),
    as,
    ...(suspect !== undefined && { suspect }),
    ...(parked !== undefined && { parked: parked === null ? false : JSON.stringify(parked) }),
  };
}

/** One queue's part of a call, or what follows after its settings changed. */
interface Part {
  readonly queue: QueueRef;
  readonly indexes: number[];
}

/**
 * Runs a script on each queue's receipts, all at once; those of one queue in their order.
 * @param wordOf what the script is told of each, if anything
 */
async function forHeld(
  store: RedisStore,
  script: ScriptName,
  receipts: readonly Receipt[],
  wordOf: (index: number) => unknown,
): Promise<LostIndexes> {
  const parts: Part[] = [];
  for (const [index, { queue }] of receipts.entries()) {
    const last = parts.findLast((part) => part.queue.number === queue.number);
    const fits = last !== undefined && last.indexes.length < CALL_MAX;
    if (fits && isSameQueue(last.queue, queue)) last.indexes.push(index);
    else parts.push({ queue, indexes: [index] });
  }
  const lost = await Promise.all(
    parts.map(async ({ queue, indexes }) => {
      const held = encodeReceipts(indexes.map((index) => receipts[index]!));
      const words = script === 'settle' ? [] : [JSON.stringify(indexes.map(wordOf))];
      const args = [JSON.stringify(settingsOf(queue)), held, ...words];
      const [news, lostHere] = (await store.run(script, [queue.number], args)) as Reply;
      tellNews(store, news);
      return lostHere.map((index) => indexes[index]!);
    }),
  );
  return lost.flat().toSorted((a, b) => a - b);
}
