import type { BrowsePage, BrowseRequest } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import { MessageReader } from './record.ts';
import type { RedisStore } from './store.ts';
import { readView, type View } from './view.ts';

type Reply = readonly [cursor: Buffer, page: readonly View[]];

/** A page of one state, in the order in which the messages come up. */
export async function browse(store: RedisStore, request: BrowseRequest): Promise<BrowsePage> {
  const { queue, state, limit, cursor = '' } = request;
  const reply = await store.run('browse', [queue.number], [state, limit, cursor]);
  if (reply instanceof Buffer) throw new QueueNotFoundError(queue.name);
  const [next, page] = reply as Reply;
  const reader = new MessageReader(queue.name, queue.number, store.salt);
  return {
    messages: page.map((view) => readView(reader, view, state === 'scheduled')),
    cursor: next.length === 0 ? null : next.toString(),
  };
}
