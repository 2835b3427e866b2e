import type { Evicted, PublishItem, PublishOutcome } from '../../core/driver.ts';
import { storeNew } from './arrival.ts';
import { findSent, rememberSent } from './deduplication.ts';
import { findById } from './lookup.ts';
import { exceeded, makeRoom } from './room.ts';
import type { LmdbStore } from './store.ts';

function isRefusal(outcome: PublishOutcome): boolean {
  return outcome.status === 'full' || outcome.status === 'missing';
}

/** Each item by itself: one that is refused does not fail the others (G13). */
export function publishEach(store: LmdbStore, items: readonly PublishItem[]): PublishOutcome[] {
  const now = store.now();
  return items.map((item) =>
    mayBeHalfDone(store, item)
      ? store.attempt(() => publishOne(store, item, now), isRefusal)
      : publishOne(store, item, now),
  );
}

/** All items or none: if one is refused, the others answer as it does. */
export function publishAll(store: LmdbStore, items: readonly PublishItem[]): PublishOutcome[] {
  const now = store.now();
  const outcomes: PublishOutcome[] = [];
  const refused = store.attempt(
    () => {
      for (const item of items) {
        const outcome = publishOne(store, item, now);
        if (isRefusal(outcome)) return outcome;
        outcomes.push(outcome);
      }
      return null;
    },
    (outcome) => outcome !== null,
  );
  return refused === null ? outcomes : items.map(() => refused);
}

/** Only what drops messages, or goes to several queues with bounds, can fail in the middle. */
function mayBeHalfDone(store: LmdbStore, { targets, message }: PublishItem): boolean {
  if (targets.length > 1) {
    return targets.some((ref) => ref.maxSize !== Infinity || ref.maxBytes !== Infinity);
  }
  const ref = targets[0];
  if (ref === undefined || ref.overflow !== 'drop-oldest') return false;
  const queue = store.find(ref);
  return queue !== undefined && exceeded(queue, ref, message.bytes) !== null;
}

function publishOne(store: LmdbStore, item: PublishItem, now: number): PublishOutcome {
  const { targets, message } = item;
  for (const target of targets) {
    if (store.find(target) === undefined) return { status: 'missing', queue: target.name };
  }
  if (message.id !== undefined && findById(store, message.id) !== null) {
    return { status: 'duplicate', id: message.id };
  }
  const { deduplicationId } = message;
  const evicted: Evicted[] = [];
  const ids: string[] = [];
  let firstStored: string | null = null;
  for (const target of targets) {
    const queue = store.queue(target);
    const isRemembered = deduplicationId !== null && target.deduplicationWindow > 0;
    const sent = isRemembered ? findSent(store, queue, deduplicationId, now) : undefined;
    if (sent !== undefined) {
      ids.push(sent);
      continue;
    }
    const limit = makeRoom(store, queue, target, message.bytes, evicted, now);
    if (limit !== null) return { status: 'full', queue: target.name, limit };
    const id = storeNew(store, queue, target, message, firstStored, now);
    if (isRemembered) {
      rememberSent(store, queue, deduplicationId, id, now + target.deduplicationWindow);
    }
    firstStored ??= id;
    ids.push(id);
  }
  const status = firstStored === null ? 'duplicate' : 'stored';
  if (ids.length === 1 && evicted.length === 0) return { status, id: ids[0]! };
  return {
    status,
    id: ids[0]!,
    ...(ids.length > 1 && { ids }),
    ...(evicted.length > 0 && { evicted }),
  };
}
