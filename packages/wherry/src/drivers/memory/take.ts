import type { LeasedMessage, TakeRequest } from '../../core/driver.ts';
import type { MemoryQueue } from './queue.ts';
import { isExpired, type MessageRecord, toLeasedMessage } from './record.ts';
import type { MemoryStore } from './store.ts';

/** ready -> leased: what may be handed out now, at most `max`. */
export function take(store: MemoryStore, request: TakeRequest): LeasedMessage[] {
  const now = store.clock.now();
  const queue = store.queue(request.queue);
  if (queue.promoteDue(now)) store.notifier.notify(queue.number, 'ready');
  const until = now + request.leaseDuration;
  const lease = (record: MessageRecord): LeasedMessage => {
    const { consumerId } = request;
    queue.lease(record, { consumerId, token: store.nextToken(), until, cause: null });
    return toLeasedMessage(record);
  };
  return request.ids === undefined
    ? takeInOrder(queue, request, now, lease)
    : takeByIds(store, queue, request.ids, now).slice(0, request.max).map(lease);
}

function takeInOrder(
  queue: MemoryQueue,
  request: TakeRequest,
  now: number,
  lease: (record: MessageRecord) => LeasedMessage,
): LeasedMessage[] {
  const batch: LeasedMessage[] = [];
  while (batch.length < request.max) {
    const head = queue.nextEligible(now, batch.length === 0);
    if (head === undefined) break;
    batch.push(lease(head));
    if (head.suspect) break;
    const { groupId } = head;
    if (groupId === null) continue;
    for (let held = 1; held < request.perGroup && batch.length < request.max; held += 1) {
      const next = queue.nextInGroup(groupId, now);
      if (next === undefined) break;
      batch.push(lease(next));
    }
  }
  return batch;
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
