import { NEVER, type TakeRequest, type TakeResult } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import { type Leased, readLeased } from './leased.ts';
import { encodeIds } from './receipts.ts';
import { MessageReader } from './record.ts';
import { settingsOf } from './settings.ts';
import { type News, type RedisStore, tellNews } from './store.ts';

type Reply = readonly [
  news: News,
  firstToken: number,
  until: number,
  retryIn: number,
  mustRepeat: number,
  messages: Leased,
  suspect: number,
];

/** What one place of a queue gave. */
export interface PlaceTake extends TakeResult {
  /** Whether the batch is a suspect, or ends before one. */
  readonly suspect: 'given' | 'waiting' | null;
}

const SUSPECT = [null, 'given', 'waiting'] as const;

/** What one script leases at most: more would keep the server from others. */
const CALL_MAX = 2_000;

/** ready -> leased. */
export async function take(store: RedisStore, request: TakeRequest): Promise<TakeResult> {
  const { messages, retryIn } = await takeFrom(store, request, false);
  return { messages, retryIn };
}

/** @param hasOthers whether the batch holds messages of other places: then it gets no suspect */
export async function takeFrom(
  store: RedisStore,
  request: TakeRequest,
  hasOthers: boolean,
): Promise<PlaceTake> {
  const { queue, consumerId, max, leaseDuration, perGroup, ids } = request;
  const text = JSON.stringify({
    ref: settingsOf(queue),
    consumer: consumerId,
    max: Math.min(max, CALL_MAX),
    duration: Math.min(leaseDuration, NEVER),
    perGroup,
    byIds: ids !== undefined,
    ...(hasOthers && { hasOthers }),
  });
  for (;;) {
    const reply = await store.run('take', [queue.number], [text, encodeIds(ids ?? [])]);
    if (reply instanceof Buffer) throw new QueueNotFoundError(queue.name);
    const [news, firstToken, until, retryIn, mustRepeat, messages, suspect] = reply as Reply;
    tellNews(store, news);
    // So much became due that one call could not see to it all.
    if (mustRepeat === 1) continue;
    const reader = new MessageReader(queue.name, queue.number, store.salt);
    const first = { consumerId, token: firstToken, until };
    return {
      messages: readLeased(reader, messages, first, () => true),
      retryIn: retryIn < 0 ? null : retryIn,
      suspect: SUSPECT[suspect]!,
    };
  }
}
