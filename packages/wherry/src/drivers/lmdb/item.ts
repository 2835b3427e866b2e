import type { LeasedMessage, NewMessage, StoredMessage } from '../../core/driver.ts';
import type { Death, MessageState } from '../../core/message.ts';
import { parseMessageId } from '../../core/message-id.ts';
import type { Lease } from './leases.ts';
import type { QueueState } from './queue-state.ts';
import type { StoredRecord } from './record.ts';

/** The three tables that hold records. */
export type Space = 0 | 1 | 2;
export const MAIN = 0;
export const SCHEDULED = 1;
export const GROUP = 2;

export const NO_DEATHS: readonly Death[] = Object.freeze([]);

/** A stored message without its content: what it takes to find it and to remove it. */
export interface Item {
  readonly id: string;
  readonly sequence: number;
  readonly priority: number;
  readonly space: Space;
  /** In `scheduled`: when it is due; else 0. */
  readonly due: number;
  readonly groupId: string | null;
  /** Its group waits for it. */
  readonly isHead: boolean;
  readonly bytes: number;
  /** When its TTL ends, as long as that counts; else null. */
  readonly expiry: number | null;
  /** The id does not tell where the message is: `ids` does. */
  readonly hasIdEntry: boolean;
}

/** A parked message has no TTL: it is dead already, and waits for a place to go to. */
export function expiryOf(record: StoredRecord): number | null {
  return record.parked === null ? record.expiresAt : null;
}

export function isExpired(record: StoredRecord, now: number): boolean {
  const expiry = expiryOf(record);
  return expiry !== null && expiry <= now;
}

export function idOf(queue: QueueState, record: StoredRecord, sequence: number): string {
  return record.id ?? queue.makeId(record.timestamp, sequence);
}

/** @returns the item of a record that is (or will be) in `space` */
export function itemOf(
  queue: QueueState,
  record: StoredRecord,
  sequence: number,
  space: Space,
  due = 0,
): Item {
  return {
    id: idOf(queue, record, sequence),
    sequence,
    priority: record.priority,
    space,
    due,
    groupId: record.groupId,
    isHead: isHead(record, space),
    bytes: record.bytes,
    expiry: expiryOf(record),
    hasIdEntry: hasIdEntry(queue, record, sequence),
  };
}

/** @returns whether the message's group waits for it */
export function isHead(record: StoredRecord, space: Space): boolean {
  if (record.groupId === null) return false;
  return space === MAIN || (space === SCHEDULED && record.blocksGroup);
}

/** @returns whether `ids` must tell where the message is, because its id does not */
export function hasIdEntry(queue: QueueState, record: StoredRecord, sequence: number): boolean {
  if (record.id === null) return false;
  const parts = parseMessageId(record.id, queue.salt);
  return parts?.sequence !== sequence || parts.queueNumber !== queue.number;
}

/** @returns what callers see of a stored message */
export function toStoredMessage(
  queue: QueueState,
  record: StoredRecord,
  sequence: number,
  state: MessageState,
  lease: Lease | null,
): StoredMessage {
  const id = lease === null ? idOf(queue, record, sequence) : lease.id;
  return {
    id,
    publishId: record.publishId ?? id,
    queueName: queue.name,
    sequence,
    encoding: record.encoding,
    body: record.body,
    bytes: record.bytes,
    properties: record.properties,
    priority: record.priority,
    groupId: record.groupId,
    deduplicationId: record.deduplicationId,
    timestamp: record.timestamp,
    availableAt: record.availableAt,
    expiresAt: record.expiresAt,
    retryCount: record.retryCount,
    deliveryCount: record.deliveryCount + (lease !== null && lease.cause !== 'expired' ? 1 : 0),
    deaths: record.deaths,
    parked: record.parked,
    state,
    lease:
      lease === null
        ? null
        : { consumerId: lease.consumerId, token: lease.token, until: lease.until },
  };
}

/**
 * @param place.maxPriority of the queue @param now milliseconds since 1970
 * @returns a message of which there is no record yet, as its holder sees it
 */
export function newlyLeased(
  queue: QueueState,
  message: NewMessage,
  { sequence, maxPriority }: { readonly sequence: number; readonly maxPriority: number },
  lease: LeasedMessage['lease'],
  now: number,
): LeasedMessage {
  const id = queue.makeId(now, sequence);
  return {
    id,
    publishId: id,
    queueName: queue.name,
    sequence,
    encoding: message.encoding,
    body: message.body,
    bytes: message.bytes,
    properties: message.properties,
    priority: Math.min(message.priority, maxPriority),
    groupId: null,
    deduplicationId: null,
    timestamp: now,
    availableAt: now,
    expiresAt: null,
    retryCount: 0,
    deliveryCount: 1,
    deaths: message.deaths ?? NO_DEATHS,
    parked: null,
    state: 'leased',
    lease,
  };
}

/** @returns a record that was just leased, as its holder sees it */
export function toLeasedMessage(
  queue: QueueState,
  record: StoredRecord,
  lease: Lease,
): LeasedMessage {
  const message = toStoredMessage(queue, record, lease.sequence, 'leased', lease) as LeasedMessage;
  return record.damaged ? { ...message, damaged: true } : message;
}
