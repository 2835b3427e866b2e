import type {
  Evicted,
  NewMessage,
  PublishItem,
  PublishOutcome,
  QueueRef,
} from '../../core/driver.ts';
import type { Death } from '../../core/message.ts';
import {
  copyBody,
  createRecord,
  frozenDeaths,
  frozenProperties,
  type MessageRecord,
} from './record.ts';
import { expiryAt, makeRoom } from './room.ts';
import type { MemoryStore } from './store.ts';

const NO_DEATHS: readonly Death[] = Object.freeze([]);

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
  for (const target of targets) {
    const known = sentBefore(store, target, message, now);
    if (known !== undefined) {
      ids.push(known);
      continue;
    }
    const limit = makeRoom(store, target, message.bytes, evicted, now);
    if (limit !== null) return { status: 'full', queue: target.name, limit };
    const record = createMessage(store, target, message, publishId, now);
    store.insert(record, now);
    remember(store, target, record, now);
    publishId ??= record.id;
    ids.push(record.id);
  }
  return {
    status: publishId === null ? 'duplicate' : 'stored',
    id: ids[0]!,
    ...(ids.length > 1 && { ids }),
    ...(evicted.length > 0 && { evicted }),
  };
}

/** @returns the id of the message that was sent under this deduplicationId, if any (G12) */
function sentBefore(
  store: MemoryStore,
  target: QueueRef,
  { deduplicationId }: NewMessage,
  now: number,
): string | undefined {
  if (deduplicationId === null || target.deduplicationWindow <= 0) return undefined;
  return store.queue(target).deduplication.find(deduplicationId, now);
}

function remember(
  store: MemoryStore,
  target: QueueRef,
  { queue, deduplicationId, id }: MessageRecord,
  now: number,
): void {
  if (deduplicationId === null || target.deduplicationWindow <= 0) return;
  const { deduplication } = queue;
  deduplication.remember(deduplicationId, id, now + target.deduplicationWindow);
  store.journal.note(() => deduplication.drop(deduplicationId));
}

/** @param publishId the first copy's id; null: this is the first */
function createMessage(
  store: MemoryStore,
  target: QueueRef,
  message: NewMessage,
  publishId: string | null,
  now: number,
): MessageRecord {
  const queue = store.queue(target);
  const sequence = queue.nextSequence();
  const created = queue.createId(now, sequence);
  const id = publishId === null ? (message.id ?? created) : created;
  const availableAt = Math.max(now, message.deliverAt ?? now + message.delay);
  return createRecord({
    id,
    publishId: publishId ?? id,
    queue,
    sequence,
    encoding: message.encoding,
    body: copyBody(message.body),
    bytes: message.bytes,
    properties: frozenProperties(message.properties),
    priority: message.priority,
    groupId: message.groupId,
    deduplicationId: message.deduplicationId,
    timestamp: now,
    availableAt,
    expiresAt: expiryAt(availableAt, message.ttl, target),
    deaths: message.deaths === undefined ? NO_DEATHS : frozenDeaths(message.deaths),
  });
}
