import type {
  LeasedMessage,
  MessageProperties,
  PayloadEncoding,
  StoredMessage,
} from '../../core/driver.ts';
import type { Death, DeathRoute, Lease, MessageState, NewDeath } from '../../core/message.ts';
import type { Heap } from './heap.ts';
import type { MemoryQueue } from './queue.ts';

/** A lease, with what only its end needs to know. */
export interface HeldLease extends Lease {
  /** Why the sweeper holds it; null: a consumer does. */
  readonly cause: 'lease-expired' | 'expired' | null;
}

/** A stored message: what it carries, its life so far, and where the queue has put it. */
export interface MessageRecord {
  readonly id: string;
  readonly publishId: string;
  readonly queue: MemoryQueue;
  readonly sequence: number;
  readonly encoding: PayloadEncoding;
  readonly body: string | Uint8Array;
  readonly bytes: number;
  readonly properties: MessageProperties | null;
  readonly priority: number;
  readonly groupId: string | null;
  readonly deduplicationId: string | null;
  readonly timestamp: number;
  readonly expiresAt: number | null;
  readonly deaths: readonly Death[];
  availableAt: number;
  retryCount: number;
  deliveryCount: number;
  parked: NewDeath | null;
  suspect: boolean;
  /** One with `keepLast`, never leased: the next one with its deduplicationId takes its place. */
  isReplaceable: boolean;
  /** When its group's rate limit lets it go, as far as that was looked at: milliseconds since 1970. */
  resumesAt: number;
  lease: HeldLease | null;

  state: MessageState;
  /**
   * 'outside': one that may be handed out, or was and did not end; 'waiting' behind them; 'none':
   * it has no group, its first delay is not over, or it is parked for good.
   */
  inGroup: 'none' | 'waiting' | 'outside';
  /** The one heap that holds it, by its state, and its index there. */
  heap: Heap<MessageRecord> | null;
  heapIndex: number;
  ageIndex: number;
  expiryIndex: number;
}

/** What makes a record; the rest starts the same for all. */
export type RecordContent = Omit<
  MessageRecord,
  | 'retryCount'
  | 'deliveryCount'
  | 'parked'
  | 'suspect'
  | 'resumesAt'
  | 'lease'
  | 'state'
  | 'inGroup'
  | 'heap'
  | 'heapIndex'
  | 'ageIndex'
  | 'expiryIndex'
>;

/** @returns a record that no queue has placed yet */
export function createRecord(content: RecordContent): MessageRecord {
  return {
    id: content.id,
    publishId: content.publishId,
    queue: content.queue,
    sequence: content.sequence,
    encoding: content.encoding,
    body: content.body,
    bytes: content.bytes,
    properties: content.properties,
    priority: content.priority,
    groupId: content.groupId,
    deduplicationId: content.deduplicationId,
    timestamp: content.timestamp,
    expiresAt: content.expiresAt,
    deaths: content.deaths,
    availableAt: content.availableAt,
    retryCount: 0,
    deliveryCount: 0,
    parked: null,
    suspect: false,
    isReplaceable: content.isReplaceable,
    resumesAt: 0,
    lease: null,
    state: 'ready',
    inGroup: 'none',
    heap: null,
    heapIndex: -1,
    ageIndex: -1,
    expiryIndex: -1,
  };
}

/** A parked message has no TTL: it is dead already, and waits for a place to go to. */
export function expiryOf(record: MessageRecord): number | null {
  return record.parked === null ? record.expiresAt : null;
}

/** @param now milliseconds since 1970 */
export function isExpired(record: MessageRecord, now: number): boolean {
  const expiry = expiryOf(record);
  return expiry !== null && expiry <= now;
}

/** @returns what callers see; nothing in it can change the record */
export function toStoredMessage(record: MessageRecord): StoredMessage {
  const { lease } = record;
  const isDelivery = lease !== null && lease.cause !== 'expired';
  return {
    id: record.id,
    publishId: record.publishId,
    queueName: record.queue.name,
    sequence: record.sequence,
    encoding: record.encoding,
    body: copyBody(record.body),
    bytes: record.bytes,
    properties: record.properties,
    priority: record.priority,
    groupId: record.groupId,
    deduplicationId: record.deduplicationId,
    timestamp: record.timestamp,
    availableAt: record.availableAt,
    expiresAt: record.expiresAt,
    retryCount: record.retryCount,
    deliveryCount: record.deliveryCount + (isDelivery ? 1 : 0),
    deaths: record.deaths,
    parked: record.parked,
    state: record.state,
    lease: lease && { consumerId: lease.consumerId, token: lease.token, until: lease.until },
  };
}

/** @returns a leased record as its holder sees it */
export function toLeasedMessage(record: MessageRecord): LeasedMessage {
  const stored = toStoredMessage(record);
  if (stored.lease === null) throw new Error(`Message '${record.id}' is not leased.`);
  return stored as LeasedMessage;
}

/** Bytes belong to whoever gets them, so each gets their own; text cannot be changed. */
export function copyBody(body: string | Uint8Array): string | Uint8Array {
  return typeof body === 'string' ? body : new Uint8Array(body);
}

/** A copy that can be handed out again and again, because nobody can change it. */
export function frozenProperties(properties: MessageProperties | null): MessageProperties | null {
  if (properties === null) return null;
  const { headers } = properties;
  return Object.freeze(
    headers === undefined
      ? { ...properties }
      : { ...properties, headers: Object.freeze({ ...headers }) },
  );
}

/** The same for a death record. */
export function frozenDeaths(deaths: readonly Death[]): readonly Death[] {
  return Object.freeze(deaths.map(frozenDeath));
}

/** The same for one death. */
export function frozenDeath<D extends NewDeath>(death: D): D {
  const { route } = death;
  return Object.freeze(
    route === undefined ? { ...death } : { ...death, route: frozenRoute(route) },
  );
}

function frozenRoute(route: DeathRoute): DeathRoute {
  return Object.freeze({
    ...route,
    routingKeys: Object.freeze([...route.routingKeys]),
    toRoutingKeys: Object.freeze([...route.toRoutingKeys]),
  });
}
