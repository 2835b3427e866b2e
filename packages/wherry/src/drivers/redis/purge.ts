import type { QueueRef } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import { settingsOf } from './settings.ts';
import { type News, type RedisStore, tellNews } from './store.ts';

type Reply = readonly [news: News, last: number, removed: number];

/** ready and scheduled -> gone, as many as there were at the call. @returns how many */
export async function purge(store: RedisStore, queue: QueueRef): Promise<number> {
  const settings = JSON.stringify(settingsOf(queue));
  let last: number | '' = '';
  let total = 0;
  for (;;) {
    const reply = await store.run('purge', [queue.number], [settings, last]);
    if (reply instanceof Buffer) {
      if (last === '') throw new QueueNotFoundError(queue.name);
      return total;
    }
    const [news, upTo, removed] = reply as Reply;
    tellNews(store, news);
    if (removed === 0) return total;
    last = upTo;
    total += removed;
  }
}
