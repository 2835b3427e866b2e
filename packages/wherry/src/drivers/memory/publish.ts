import type {
  Evicted,
  NewMessage,
  PublishItem,
  PublishOutcome,
  QueueRef,
} from '../../core/driver.ts';
import type { Death } from '../../core/message.ts';
import type { MemoryQueue } from './queue.ts';
import {
  copyBody,
  createRecord,
  frozenDeaths,
  frozenProperties,
  type MessageRecord,
} from './record.ts';
import { expiryAt, type Limit, makeRoom } from './room.ts';
import type { MemoryStore } from './store.ts';

const NO_DEATHS: readonly Death[] = Object.freeze([]);

/** The id of what was sent before, where only its fence is known. */
const UNKNOWN_ID = '';

function isRefusal(outcome: PublishOutcome): boolean {
  return outcome.status === 'full' || outcome.status === 'missing';
}

/** Each item by itself: one that is refused does not fail the others (G13). */
export function publishEach(store: MemoryStore, items: readonly PublishItem[]): PublishOutcome[] {
  const now = store.clock.now();
  return items.map((item) => store.journal.attempt(() => publishItem(store, item, now), isRefusal));
}

/** All items or none: if one is refused, the others answer as it does. */
export function publishAll(store: MemoryStore, items: readonly PublishItem[]): PublishOutcome[] {
  const now = store.clock.now();
  const publishUntilRefused = (): PublishOutcome[] => {
    const outcomes: PublishOutcome[] = [];
    for (const item of items) {
      const outcome = publishItem(store, item, now);
      if (isRefusal(outcome)) return items.map(() => outcome);
      outcomes.push(outcome);
    }
    return outcomes;
  };
  return store.journal.attempt(publishUntilRefused, (outcomes) => outcomes.some(isRefusal));
}

/** Stores a copy in every target; when one refuses, the caller undoes the others. */
function publishItem(
  store: MemoryStore,
  { targets, message }: PublishItem,
  now: number,
): PublishOutcome {
  const missing = targets.find((target) => store.find(target) === undefined);
  if (missing !== undefined) return { status: 'missing', queue: missing.name };
  if (message.id !== undefined && store.messages.has(message.id)) {
    return { status: 'duplicate', id: message.id };
  }
  const evicted: Evicted[] = [];
  const ids: string[] = [];
  let publishId: string | null = null;
  let hasReplaced = false;
  for (const target of targets) {
    const known = sentBefore(store.queue(target), target, message, now);
    if (known !== undefined) {
      ids.push(known);
      continue;
    }
    const before = replaceableBy(store.queue(target), message);
    const limit = clearPlace(store, target, message, before, evicted, now);
    if (limit !== null) return { status: 'full', queue: target.name, limit };
    const record = createMessage(store, target, message, before, publishId, now);
    store.insert(record, target, now);
    remember(store, target, message, record.id, now);
    if (before === undefined) publishId ??= record.id;
    else hasReplaced = true;
    ids.push(record.id);
  }
  return {
    status: publishId !== null ? 'stored' : hasReplaced ? 'replaced' : 'duplicate',
    id: ids[0]!,
    ...(ids.length > 1 && { ids }),
    ...(evicted.length > 0 && { evicted }),
  };
}

/** @returns the id of what was sent in this one's stead, if anything was (G12) */
function sentBefore(
  queue: MemoryQueue,
  target: QueueRef,
  message: NewMessage,
  now: number,
): string | undefined {
  const { deduplicationId, fence } = message;
  const known =
    deduplicationId !== null && windowOf(message, target) > 0
      ? queue.deduplication.find(deduplicationId, now)
      : undefined;
  if (known !== undefined) return known;
  const isBehind = fence !== undefined && fence.value <= (queue.fences.get(fence.key) ?? -Infinity);
  return isBehind ? UNKNOWN_ID : undefined;
}

function remember(
  store: MemoryStore,
  target: QueueRef,
  message: NewMessage,
  id: string,
  now: number,
): void {
  const { deduplication, fences } = store.queue(target);
  const { deduplicationId, fence } = message;
  const window = windowOf(message, target);
  if (deduplicationId !== null && window > 0) {
    deduplication.remember(deduplicationId, id, now + window);
    store.journal.note(() => deduplication.drop(deduplicationId));
  }
  if (fence === undefined) return;
  const before = fences.get(fence.key);
  fences.set(fence.key, fence.value);
  store.journal.note(() => {
    if (before === undefined) fences.delete(fence.key);
    else fences.set(fence.key, before);
  });
}

/** @returns milliseconds for which the message's deduplicationId stands for it; 0: it does not */
function windowOf({ keepLast, deduplicationWindow }: NewMessage, target: QueueRef): number {
  return keepLast === true ? 0 : (deduplicationWindow ?? target.deduplicationWindow);
}

/** @returns the message whose place this one is to take, if it does */
function replaceableBy(
  queue: MemoryQueue,
  { deduplicationId, keepLast }: NewMessage,
): MessageRecord | undefined {
  if (keepLast !== true || deduplicationId === null) return undefined;
  return queue.replaceable(deduplicationId);
}

/**
 * Makes room for a message, or for what it has more than the one that it replaces, which goes.
 * @returns null, or the bound that leaves no room
 */
function clearPlace(
  store: MemoryStore,
  target: QueueRef,
  { bytes }: NewMessage,
  before: MessageRecord | undefined,
  evicted: Evicted[],
  now: number,
): Limit | null {
  if (before === undefined) return makeRoom(store, target, bytes, evicted, now);
  store.remove(before, target, now);
  if (bytes <= before.bytes) return null;
  return makeRoom(store, { ...target, maxSize: Infinity }, bytes, evicted, now);
}

/**
 * @param before what it replaces: the place is that one's
 * @param publishId the first copy's id; null: this is the first
 */
function createMessage(
  store: MemoryStore,
  target: QueueRef,
  message: NewMessage,
  before: MessageRecord | undefined,
  publishId: string | null,
  now: number,
): MessageRecord {
  const availableAt = Math.max(now, message.deliverAt ?? now + message.delay);
  const place = before ?? newPlace(store, target, message, publishId, now);
  // Field by field: spreading the place would take several times as long as all the rest.
  return createRecord({
    id: place.id,
    publishId: place.publishId,
    queue: place.queue,
    sequence: place.sequence,
    priority: place.priority,
    timestamp: place.timestamp,
    encoding: message.encoding,
    body: copyBody(message.body),
    bytes: message.bytes,
    properties: frozenProperties(message.properties),
    groupId: message.groupId,
    deduplicationId: message.deduplicationId,
    availableAt,
    expiresAt: expiryAt(availableAt, message.ttl, target),
    deaths: message.deaths === undefined ? NO_DEATHS : frozenDeaths(message.deaths),
    isReplaceable: message.keepLast === true && message.deduplicationId !== null,
  });
}

/** What a message keeps when another one takes its place. */
type Place = Pick<
  MessageRecord,
  'id' | 'publishId' | 'queue' | 'sequence' | 'priority' | 'timestamp'
>;

function newPlace(
  store: MemoryStore,
  target: QueueRef,
  message: NewMessage,
  publishId: string | null,
  now: number,
): Place {
  const priority = Math.min(message.priority, target.maxPriority);
  const queue = store.queue(target);
  const sequence = queue.nextSequence();
  const created = queue.createId(now, sequence);
  const id = publishId === null ? (message.id ?? created) : created;
  return { id, publishId: publishId ?? id, queue, sequence, priority, timestamp: now };
}
