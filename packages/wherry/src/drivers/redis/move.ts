import type { MoveItem, MoveOutcome, QueueRef } from '../../core/driver.ts';
import type { NewDeath } from '../../core/message.ts';
import { evictedOf } from './publish.ts';
import { encodeReceipts } from './receipts.ts';
import { restOfDeath } from './deaths.ts';
import { CallQueues, isSameQueue, settingsOf } from './settings.ts';
import { type News, type RedisStore, tellNews } from './store.ts';

type Outcome =
  | Buffer
  | readonly [status: Buffer, place: number]
  | readonly [status: Buffer, ids: readonly Buffer[], evicted: readonly (Buffer | number)[]];
type Reply = readonly [news: News, outcomes: readonly Outcome[]];

/** What one script moves at most: more would keep the server from others. */
const CALL_MAX = 250;

/** leased here -> ready in each target, in the order of the items. */
export async function move(
  store: RedisStore,
  items: readonly MoveItem[],
): Promise<readonly MoveOutcome[]> {
  const outcomes: MoveOutcome[][] = [];
  for (const part of bySource(items)) outcomes.push(await movePart(store, part));
  return outcomes.flat();
}

/** Neighbours that leave the same queue go in one call. */
function bySource(items: readonly MoveItem[]): MoveItem[][] {
  const parts: MoveItem[][] = [];
  for (const item of items) {
    const part = parts.at(-1);
    const fits = part !== undefined && part.length < CALL_MAX;
    if (fits && isSameQueue(part[0]!.receipt.queue, item.receipt.queue)) part.push(item);
    else parts.push([item]);
  }
  return parts;
}

async function movePart(store: RedisStore, items: readonly MoveItem[]): Promise<MoveOutcome[]> {
  const source = items[0]!.receipt.queue;
  const queues = new CallQueues(newest(source, items));
  const requests = items.map(({ targets, death }) => ({
    to: targets.map((target) => queues.place(target)),
    ...(death !== undefined && { death: deathOf(death) }),
  }));
  const request = JSON.stringify({
    source: settingsOf(source),
    refs: queues.settings(),
    items: requests,
  });
  const receipts = encodeReceipts(items.map((item) => item.receipt));
  const reply = (await store.run('move', queues.numbers, [request, receipts])) as Reply;
  const [news, outcomes] = reply;
  tellNews(store, news);
  return outcomes.map((outcome) => outcomeOf(queues, outcome));
}

/** @returns the queue as a target names it, if one does: a receipt may be older than its settings */
function newest(source: QueueRef, items: readonly MoveItem[]): QueueRef {
  for (const { targets } of items) {
    const named = targets.find((target) => target.number === source.number);
    if (named !== undefined) return named;
  }
  return source;
}

/** A death as lua/deaths.lua records it. */
export function deathOf(death: NewDeath): object {
  return { queue: death.queue, reason: death.reason, rest: restOfDeath(death) };
}

function outcomeOf(queues: CallQueues, outcome: Outcome): MoveOutcome {
  if (outcome instanceof Buffer) return { status: 'lost' };
  const status = outcome[0].toString() as 'moved' | 'full' | 'missing';
  if (status !== 'moved') return { status, queue: queues.at(outcome[1] as number).name };
  const [, ids, evicted] = outcome as Exclude<Outcome, Buffer | readonly [Buffer, number]>;
  return {
    status,
    ids: ids.map((id) => id.toString('hex')),
    ...(evicted.length > 0 && { evicted: evictedOf(queues, evicted) }),
  };
}
