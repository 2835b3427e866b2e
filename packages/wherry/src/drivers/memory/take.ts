import type { LeasedMessage, TakeRequest, TakeResult } from '../../core/driver.ts';
import type { MemoryQueue } from './queue.ts';
import { isExpired, type MessageRecord, toLeasedMessage } from './record.ts';
import type { MemoryStore } from './store.ts';

type LeaseOne = (record: MessageRecord) => LeasedMessage;

/** ready -> leased: what may be handed out now, at most `max`. */
export function take(store: MemoryStore, request: TakeRequest): TakeResult {
  const now = store.clock.now();
  const queue = store.queue(request.queue);
  queue.heed(request.queue);
  queue.rates.forget(now);
  if (queue.promoteDue(now)) store.notifier.notify(queue.number, 'ready');
  const until = now + request.leaseDuration;
  const lease: LeaseOne = (record) => {
    const { consumerId } = request;
    queue.lease(record, { consumerId, token: store.nextToken(), until, cause: null });
    return toLeasedMessage(record);
  };
  const result =
    request.ids === undefined
      ? takeInOrder(queue, request, now, lease)
      : takeGiven(takeByIds(store, queue, request.ids, now), request, lease);
  if (request.queue.boundOn === 'waiting' && result.messages.length > 0) {
    store.notifier.notify(queue.number, 'room');
  }
  return result;
}

function takeGiven(
  found: readonly MessageRecord[],
  { max }: TakeRequest,
  lease: LeaseOne,
): TakeResult {
  return { messages: found.slice(0, max).map(lease), retryIn: null };
}

function takeInOrder(
  queue: MemoryQueue,
  { queue: ref, max, perGroup }: TakeRequest,
  now: number,
  lease: LeaseOne,
): TakeResult {
  const { rateLimit, groupRateLimit, groupMaxInFlight } = ref;
  const messages: LeasedMessage[] = [];
  const room = Math.min(max, ref.maxInFlight - queue.leased);
  const mayGo = (): boolean => queue.rates.wait(null, rateLimit, now) === 0;
  const hand = (record: MessageRecord): void => {
    queue.rates.spend(null, rateLimit, now);
    if (record.groupId !== null) queue.rates.spend(record.groupId, groupRateLimit, now);
    messages.push(lease(record));
  };
  while (messages.length < room) {
    const next = queue.nextEligible(now);
    if (next === undefined) return { messages, retryIn: queue.nextWithinRate(now) };
    if (next.suspect && messages.length > 0) break;
    if (!mayGo()) return { messages, retryIn: queue.rates.wait(null, rateLimit, now) };
    hand(next);
    if (next.suspect) break;
    const { groupId } = next;
    if (groupId === null || groupMaxInFlight > 1) continue;
    for (let held = 1; held < perGroup && messages.length < room && mayGo(); held += 1) {
      const follower = queue.nextInGroup(groupId, now);
      if (follower === undefined) break;
      hand(follower);
    }
  }
  return { messages, retryIn: null };
}

function takeByIds(
  store: MemoryStore,
  queue: MemoryQueue,
  ids: readonly string[],
  now: number,
): MessageRecord[] {
  const found = [...new Set(ids)].map((id) => store.messages.get(id));
  return found.filter(
    (record) =>
      record !== undefined &&
      record.queue === queue &&
      record.state !== 'leased' &&
      !isExpired(record, now),
  ) as MessageRecord[];
}
