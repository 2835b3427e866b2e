import type { StoredMessage } from '../../core/driver.ts';
import { parseMessageId } from '../../core/message-id.ts';
import { encodeIds } from './receipts.ts';
import { MessageReader } from './record.ts';
import type { RedisStore } from './store.ts';
import { readView, type View } from './view.ts';

type Reply = readonly [place: number, queueName: Buffer, isScheduled: number, view: View];

/** Queues that one script looks into. */
const QUEUES_MAX = 1_000;

/** The message with this id: from the queue that the id names, else from whichever has it. */
export async function get(store: RedisStore, id: string): Promise<StoredMessage | null> {
  const home = parseMessageId(id, store.salt)?.queueNumber;
  if (home === undefined) return null;
  const found = await getFrom(store, [home], id);
  if (found !== null) return found;
  const others = (await store.queueNumbers()).filter((number) => number !== home);
  const size = store.isOnePlace ? QUEUES_MAX : 1;
  for (let start = 0; start < others.length; start += size) {
    const message = await getFrom(store, others.slice(start, start + size), id);
    if (message !== null) return message;
  }
  return null;
}

async function getFrom(
  store: RedisStore,
  queueNumbers: readonly number[],
  id: string,
): Promise<StoredMessage | null> {
  const reply = await store.run('get', queueNumbers, [encodeIds([id])]);
  if (reply === null) return null;
  const [place, name, isScheduled, view] = reply as Reply;
  const reader = new MessageReader(name.toString(), queueNumbers[place - 1]!, store.salt);
  return readView(reader, view, isScheduled === 1);
}
