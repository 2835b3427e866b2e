import type {
  Evicted,
  NewMessage,
  PublishItem,
  PublishOutcome,
  QueueRef,
} from '../../core/driver.ts';
import { newPlace, storeNew } from './arrival.ts';
import { findSent, rememberSent } from './deduplication.ts';
import { removeUnleased } from './departure.ts';
import { isBehindFence, moveFence } from './fences.ts';
import { findReplaceable } from './keep-last.ts';
import { findById } from './lookup.ts';
import type { QueueState } from './queue-state.ts';
import { exceeded, type Limit, makeRoom } from './room.ts';
import type { Located } from './spaces.ts';
import type { LmdbStore } from './store.ts';

/** The id of what was sent before, where only its fence is known. */
const UNKNOWN_ID = '';

function isRefusal(outcome: PublishOutcome): boolean {
  return outcome.status === 'full' || outcome.status === 'missing';
}

/** By itself: if it is refused, nothing of it was done, and others are not concerned (G13). */
export function publishOne(store: LmdbStore, item: PublishItem, now: number): PublishOutcome {
  return mayBeHalfDone(store, item)
    ? store.attempt(() => storeAll(store, item, now), isRefusal)
    : storeAll(store, item, now);
}

/** All items or none: if one is refused, the others answer as it does. */
export function publishAll(store: LmdbStore, items: readonly PublishItem[]): PublishOutcome[] {
  const now = store.now();
  const outcomes: PublishOutcome[] = [];
  const refused = store.attempt(
    () => {
      for (const item of items) {
        const outcome = storeAll(store, item, now);
        if (isRefusal(outcome)) return outcome;
        outcomes.push(outcome);
      }
      return null;
    },
    (outcome) => outcome !== null,
  );
  return refused === null ? outcomes : items.map(() => refused);
}

/**
 * Only what drops messages, replaces one, or goes to several queues with bounds, can fail in the
 * middle.
 */
function mayBeHalfDone(store: LmdbStore, { targets, message }: PublishItem): boolean {
  if (targets.length > 1 || message.keepLast === true) {
    return targets.some((ref) => ref.maxSize !== Infinity || ref.maxBytes !== Infinity);
  }
  const ref = targets[0];
  if (ref === undefined || ref.overflow !== 'drop-oldest') return false;
  const queue = store.find(ref);
  return queue !== undefined && exceeded(queue, ref, message.bytes) !== null;
}

/** In each of its queues. */
function storeAll(store: LmdbStore, item: PublishItem, now: number): PublishOutcome {
  const { targets, message } = item;
  for (const target of targets) {
    if (store.find(target) === undefined) return { status: 'missing', queue: target.name };
  }
  if (message.id !== undefined && findById(store, message.id) !== null) {
    return { status: 'duplicate', id: message.id };
  }
  const evicted: Evicted[] = [];
  const ids: string[] = [];
  let firstStored: string | null = null;
  let hasReplaced = false;
  for (const target of targets) {
    const queue = store.queue(target);
    const sent = sentBefore(store, queue, target, message, now);
    if (sent !== undefined) {
      ids.push(sent);
      continue;
    }
    const before = replacedBy(store, queue, message);
    const limit = clearPlace(store, queue, target, message, before, evicted, now);
    if (limit !== null) return { status: 'full', queue: target.name, limit };
    const place =
      before === undefined
        ? newPlace(store, queue, target, message, firstStored, now)
        : { ...before.record, sequence: before.item.sequence };
    const id = storeNew(store, queue, target, message, place, now);
    remember(store, queue, target, message, id, now);
    if (before === undefined) firstStored ??= id;
    else hasReplaced = true;
    ids.push(id);
  }
  const status = firstStored !== null ? 'stored' : hasReplaced ? 'replaced' : 'duplicate';
  if (ids.length === 1 && evicted.length === 0) return { status, id: ids[0]! };
  return {
    status,
    id: ids[0]!,
    ...(ids.length > 1 && { ids }),
    ...(evicted.length > 0 && { evicted }),
  };
}

/** @returns the id of what was sent in this one's stead, if anything was (G12) */
function sentBefore(
  store: LmdbStore,
  queue: QueueState,
  target: QueueRef,
  message: NewMessage,
  now: number,
): string | undefined {
  const { deduplicationId, fence } = message;
  if (deduplicationId !== null && windowOf(message, target) > 0) {
    const sent = findSent(store, queue, deduplicationId, now);
    if (sent !== undefined) return sent;
  }
  return fence !== undefined && isBehindFence(store, queue, fence) ? UNKNOWN_ID : undefined;
}

function remember(
  store: LmdbStore,
  queue: QueueState,
  target: QueueRef,
  message: NewMessage,
  id: string,
  now: number,
): void {
  const { deduplicationId, fence } = message;
  if (deduplicationId !== null) {
    const window = windowOf(message, target);
    if (window > 0) rememberSent(store, queue, deduplicationId, id, now + window);
  }
  if (fence !== undefined) moveFence(store, queue, fence);
}

/** @returns milliseconds for which the message's deduplicationId stands for it; 0: it does not */
function windowOf({ keepLast, deduplicationWindow }: NewMessage, target: QueueRef): number {
  return keepLast === true ? 0 : (deduplicationWindow ?? target.deduplicationWindow);
}

/** @returns the message whose place this one is to take, if it does */
function replacedBy(
  store: LmdbStore,
  queue: QueueState,
  { deduplicationId, keepLast }: NewMessage,
): Located | undefined {
  if (keepLast !== true || deduplicationId === null) return undefined;
  return findReplaceable(store, queue, deduplicationId);
}

/**
 * Makes room for a message, or for what it has more than the one that it replaces, which goes.
 * @returns null, or the bound that has no room: the caller takes back what was done then
 */
function clearPlace(
  store: LmdbStore,
  queue: QueueState,
  target: QueueRef,
  { bytes }: NewMessage,
  before: Located | undefined,
  evicted: Evicted[],
  now: number,
): Limit | null {
  if (before === undefined) return makeRoom(store, queue, target, bytes, evicted, now);
  removeUnleased(store, queue, before, target, now);
  if (bytes <= before.item.bytes) return null;
  return makeRoom(store, queue, { ...target, maxSize: Infinity }, bytes, evicted, now);
}
