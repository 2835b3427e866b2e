import type { Evicted, NewMessage, QueueRef, Receipt } from '../../../core/driver.ts';
import { QueueNotFoundError } from '../../../core/errors.ts';
import { counts } from '../counts.ts';
import { release } from '../ends.ts';
import { settingsOf } from '../settings.ts';
import { type News, type RedisStore, tellNews } from '../store.ts';
import type { Credits, Room } from './copies.ts';
import { moveAcross } from './moves.ts';
import { alone } from './places.ts';
import type { Coming, Dropped, Dropping, Limit } from './rooms.ts';

/** Senders that take each other's room away do not go on for ever. */
const ROUNDS_MAX = 20;

/**
 * Drops the oldest of a queue whose dropped messages go to another place: they move there, each is
 * in exactly one of the two at every point. Without room there, nothing is dropped.
 * @param coming the message that is to come
 * @param tryAgain says whether there is room now
 * @param credits room that is about to be free where it goes
 * @returns what was dropped; and the bound that leaves no room all the same, if one does
 */
export async function dropToMakeRoom(
  store: RedisStore,
  queue: QueueRef,
  coming: Coming,
  tryAgain: () => Promise<boolean>,
  credits: Credits,
): Promise<Dropped> {
  const evicted: Evicted[] = [];
  if (coming.bytes > queue.maxBytes) return { evicted, limit: 'maxBytes' };
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const dropped = await dropOldest(store, queue, coming, credits);
    if (typeof dropped === 'string') return { evicted, limit: dropped };
    evicted.push(...dropped);
    if (await tryAgain()) break;
  }
  return { evicted, limit: null };
}

/**
 * What a queue would drop to another place for a message to have room.
 * @param extra what to think of as stored there
 * @returns the room that takes there; or the bound that leaves none, here, once there is no more there
 */
async function roomForDropped(
  store: RedisStore,
  queue: QueueRef,
  coming: Coming,
  extra: Room,
): Promise<Room | Limit> {
  const { victims, limit } = await putOut(store, queue, coming, true);
  const room = await roomIn(store, queue.evictTo!);
  let size = 0;
  let bytes = 0;
  for (const victim of victims) {
    size += 1;
    bytes += victim.bytes;
    if (size + extra.size > room.size || bytes + extra.bytes > room.bytes) return victim.limit;
  }
  return limit ?? { size, bytes };
}

/** All that it takes; or nothing, because of a bound. */
async function dropOldest(
  store: RedisStore,
  queue: QueueRef,
  coming: Coming,
  credits: Credits,
): Promise<readonly Evicted[] | Limit> {
  const credit = credits.get(queue.evictTo!.number) ?? { size: 0, bytes: 0 };
  const extra = { size: -credit.size, bytes: -credit.bytes };
  const room = await roomForDropped(store, queue, coming, extra);
  if (typeof room === 'string') return room;
  const evictTo = queue.evictTo!;
  const { victims, limit } = await putOut(store, queue, coming, false);
  if (limit !== null) return limit;
  const items = victims.map(({ receipt }) => ({
    receipt,
    // A dead-letter queue drops nothing for what another queue drops.
    targets: [{ ...evictTo, overflow: 'reject' as const }],
    death: { queue: queue.name, reason: 'overflow' as const },
  }));
  const outcomes = await moveAcross(store, items, null, credits);
  const isMoved = (_: unknown, i: number): boolean => outcomes[i]!.status === 'moved';
  // Somebody else took the room.
  const kept = items.filter((item, i) => !isMoved(item, i));
  await release(
    store,
    kept.map(({ receipt }) => ({ receipt, delay: 0, as: 'unstarted' })),
  );
  return items
    .filter(isMoved)
    .map(({ receipt }) => ({ id: receipt.id, queue: queue.name, movedTo: evictTo.name }));
}

/** What is, or would be, dropped. */
interface Victim {
  readonly receipt: Receipt;
  readonly bytes: number;
  /** The bound that it is dropped for. */
  readonly limit: Limit;
}

interface PutOut {
  readonly victims: readonly Victim[];
  /** The bound that leaves no room all the same; then nothing is dropped. */
  readonly limit: Limit | null;
}

async function putOut(
  store: RedisStore,
  queue: QueueRef,
  { bytes, keepLast }: Coming,
  isTrial: boolean,
): Promise<PutOut> {
  const args = [JSON.stringify(settingsOf(alone(queue))), bytes, keepLast ?? '', isTrial ? 1 : 0];
  const reply = await store.run('put-out', [queue.number], args);
  const [news, left, answered] = reply as [News, Buffer, (Buffer | number)[]];
  tellNews(store, news);
  const victims: Victim[] = [];
  for (let at = 0; at < answered.length; at += 4) {
    const [id, token, size, limit] = answered.slice(at, at + 4) as [Buffer, number, number, Buffer];
    const receipt = { queue, id: id.toString('hex'), token };
    victims.push({ receipt, bytes: size, limit: limit.toString() as Limit });
  }
  return { victims, limit: left.length === 0 ? null : (left.toString() as Limit) };
}

/** The room that is left in a queue; none in one that is gone. */
async function roomIn(store: RedisStore, queue: QueueRef): Promise<Room> {
  try {
    const { ready, scheduled, leased, bytes } = await counts(store, queue);
    // What is leased in all cannot be told from here; the place itself decides.
    if (queue.boundOn === 'waiting')
      return { size: queue.maxSize - ready - scheduled, bytes: queue.maxBytes };
    return { size: queue.maxSize - ready - scheduled - leased, bytes: queue.maxBytes - bytes };
  } catch (error) {
    if (error instanceof QueueNotFoundError) return { size: 0, bytes: 0 };
    throw error;
  }
}

export function comingOf({ bytes, deduplicationId, keepLast }: NewMessage): Coming {
  return { bytes, keepLast: keepLast === true ? deduplicationId : null };
}

/** Into and out of queues that drop what is too much to other places. */
export const evictions: Dropping = { dropToMakeRoom, roomForDropped };
