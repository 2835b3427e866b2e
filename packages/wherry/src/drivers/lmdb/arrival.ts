import type { NewMessage, QueueRef } from '../../core/driver.ts';
import type { Death } from '../../core/message.ts';
import { enter } from './groups.ts';
import { NO_DEATHS, SCHEDULED } from './item.ts';
import { makeReplaceable } from './keep-last.ts';
import type { QueueState } from './queue-state.ts';
import type { StoredRecord } from './record.ts';
import { insert } from './spaces.ts';
import type { LmdbStore } from './store.ts';

/** What a message keeps when another one takes its place. */
export interface MessagePlace extends Pick<
  StoredRecord,
  'id' | 'publishId' | 'priority' | 'timestamp'
> {
  readonly sequence: number;
}

/**
 * @param publishId the first copy's id; null: this is the first
 * @returns a place behind all that are stored
 */
export function newPlace(
  lmdb: LmdbStore,
  queue: QueueState,
  ref: QueueRef,
  message: NewMessage,
  publishId: string | null,
  now: number,
): MessagePlace {
  lmdb.touch(queue);
  const id = publishId === null ? (message.id ?? null) : null;
  const priority = Math.min(message.priority, ref.maxPriority);
  return { id, publishId, priority, timestamp: now, sequence: nextSequence(queue) };
}

/** @returns the record of a message that is ready at once, and has nothing to distinguish it */
export function newRecord(ref: QueueRef, message: NewMessage, now: number): StoredRecord {
  const priority = Math.min(message.priority, ref.maxPriority);
  return recordOf(ref, message, { id: null, publishId: null, priority, timestamp: now }, now);
}

function recordOf(
  ref: QueueRef,
  message: NewMessage,
  { id, publishId, priority, timestamp }: Omit<MessagePlace, 'sequence'>,
  availableAt: number,
): StoredRecord {
  return {
    encoding: message.encoding,
    priority,
    timestamp,
    availableAt,
    expiresAt: expiryAt(availableAt, message.ttl, ref),
    retryCount: 0,
    deliveryCount: 0,
    bytes: message.bytes,
    id,
    publishId,
    suspect: false,
    damaged: false,
    blocksGroup: false,
    isReplaceable: message.keepLast === true && message.deduplicationId !== null,
    properties: message.properties,
    groupId: message.groupId,
    deduplicationId: message.deduplicationId,
    deaths: message.deaths ?? NO_DEATHS,
    parked: null,
    body: message.body,
  };
}

/**
 * new -> ready or scheduled. A first delay keeps a message out of its group (G11).
 * @returns its id
 */
export function storeNew(
  lmdb: LmdbStore,
  queue: QueueState,
  ref: QueueRef,
  message: NewMessage,
  place: MessagePlace,
  now: number,
): string {
  const { sequence } = place;
  const availableAt = Math.max(now, message.deliverAt ?? now + message.delay);
  const record = recordOf(ref, message, place, availableAt);
  const space =
    availableAt > now
      ? SCHEDULED
      : enter(lmdb, queue, message.groupId, sequence, ref.groupMaxInFlight, now);
  if (record.isReplaceable) makeReplaceable(lmdb, queue, message.deduplicationId!, sequence);
  return insert(lmdb, queue, record, sequence, space).id;
}

/**
 * A stored message arrives from another queue: ready, with a new life (G7).
 * @param id the one it keeps; null: it gets its own
 * @param publishId the one that it had
 * @returns its id
 */
export function storeMoved(
  lmdb: LmdbStore,
  queue: QueueState,
  ref: QueueRef,
  record: StoredRecord,
  id: string | null,
  publishId: string,
  deaths: readonly Death[],
  now: number,
): string {
  lmdb.touch(queue);
  const sequence = nextSequence(queue);
  const newId = id ?? queue.makeId(now, sequence);
  const moved: StoredRecord = {
    ...record,
    priority: Math.min(record.priority, ref.maxPriority),
    availableAt: now,
    expiresAt: expiryAt(now, null, ref),
    retryCount: 0,
    deliveryCount: 0,
    id: newId === queue.makeId(record.timestamp, sequence) ? null : newId,
    publishId: publishId === newId ? null : publishId,
    suspect: false,
    blocksGroup: false,
    isReplaceable: false,
    deaths,
    parked: null,
  };
  const space = enter(lmdb, queue, record.groupId, sequence, ref.groupMaxInFlight, now);
  return insert(lmdb, queue, moved, sequence, space).id;
}

function nextSequence(queue: QueueState): number {
  const sequence = queue.arrived + 1;
  queue.counters.nextSequence = sequence + 1;
  return sequence;
}

/** @returns when it ends by its own TTL or the queue's, whichever is shorter; null: never */
function expiryAt(availableAt: number, ttl: number | null, queue: QueueRef): number | null {
  const shortest = Math.min(ttl ?? Infinity, queue.messageTtl ?? Infinity);
  return shortest === Infinity ? null : availableAt + shortest;
}
