/**
 * THE contract between core and stores. Policy (what to retry, where dead letters go, what an
 * error means) lives in core; a driver performs atomic state changes and enforces the numbers it
 * is given. It reads no clock but the injected one, or, if the store is a server, that server's.
 *
 * Every hot call takes and answers arrays. A call that resolved is durable to the extent that
 * `supports.durability` says; a call that rejects with a StorageError changed nothing, unless the
 * connection was lost while the answer was on its way.
 *
 * How to add a driver: ARCHITECTURE.md. What it must hold: `wherry/testing` runs the suite.
 */
import type { Death, Headers, Lease, MessageState, NewDeath } from './message.ts';
import type { PayloadEncoding } from './payload-encoding.ts';
import type { Capabilities } from './capabilities.ts';
import type { Housekeeper } from './housekeeper.ts';
import type { QueueRef } from './queue-ref.ts';
import type { Notifier, TopologyStore } from './topology-store.ts';

export type { Capabilities } from './capabilities.ts';
export { isTextual, type PayloadEncoding } from './payload-encoding.ts';
export type { Housekeeper } from './housekeeper.ts';
export type { QueueRef, RateLimit } from './queue-ref.ts';
export type { Notifier, TopologyChange, TopologyEntry, TopologyStore } from './topology-store.ts';

/**
 * The `availableAt` of what never becomes available by itself: the year 10000, beyond every moment
 * a caller can name, and small enough for six bytes.
 */
export const NEVER = 253_402_300_800_000;

/** What a message carries beside its body, opaque to drivers. JSON-safe. */
export interface MessageProperties {
  readonly contentType?: string;
  readonly headers?: Headers;
  readonly correlationId?: string;
  readonly replyTo?: string;
  readonly messageId?: string;
  readonly maxRetries?: number;
}

/** A message that is not stored yet. */
export interface NewMessage {
  /**
   * An id that was given out before: storing it a second time in the same queue is a duplicate. (A
   * store may look into all its queues.)
   */
  readonly id?: string | undefined;
  readonly encoding: PayloadEncoding;
  /** Text for 'json' and 'text', bytes for 'bytes' and 'amqp'. */
  readonly body: string | Uint8Array;
  /** What the message counts towards `maxBytes`. */
  readonly bytes: number;
  readonly properties: MessageProperties | null;
  readonly priority: number;
  /** Milliseconds until it becomes available. */
  readonly delay: number;
  /** Milliseconds since 1970, instead of `delay`. */
  readonly deliverAt: number | null;
  /** Milliseconds to live from first availability on; the target's `messageTtl` if that is shorter. */
  readonly ttl: number | null;
  readonly groupId: string | null;
  readonly deduplicationId: string | null;
  /** Milliseconds for which `deduplicationId` is remembered, instead of the queue's window. */
  readonly deduplicationWindow?: number | undefined;
  /**
   * `deduplicationId` names what is replaced instead of what is kept: while a message with the same
   * id and `keepLast` waits (ready or scheduled, not parked), this one takes its place: content,
   * delay and TTL are this one's, the counts and deaths start again; id, sequence and priority stay.
   * Once leased it is not replaced. Core gives it no group. These ids and the others never meet.
   */
  readonly keepLast?: boolean | undefined;
  /**
   * Stored only if `value` is greater than the last one stored in the queue under `key`; else a
   * duplicate, with an empty id if the store does not know the first's. Never forgotten while the queue lives.
   */
  readonly fence?: { readonly key: string; readonly value: number } | undefined;
  /** Of a message that comes from another store: its death record. */
  readonly deaths?: readonly Death[];
}

/** A message as stored. */
export interface StoredMessage {
  readonly id: string;
  readonly publishId: string;
  readonly queueName: string;
  /** The store's order within the queue. */
  readonly sequence: number;
  readonly encoding: PayloadEncoding;
  readonly body: string | Uint8Array;
  readonly bytes: number;
  readonly properties: MessageProperties | null;
  readonly priority: number;
  readonly groupId: string | null;
  readonly deduplicationId: string | null;
  readonly timestamp: number;
  readonly availableAt: number;
  readonly expiresAt: number | null;
  readonly retryCount: number;
  readonly deliveryCount: number;
  readonly deaths: readonly Death[];
  readonly parked: NewDeath | null;
  readonly state: MessageState;
  readonly lease: Lease | null;
}

/** A message that was just leased. */
export interface LeasedMessage extends StoredMessage {
  readonly lease: Lease;
  /** The body did not match its checksum: it must be set aside, never handed to a handler. */
  readonly damaged?: boolean;
}

/** Proof of a lease. Anything but the present lease's token is fenced (G4). */
export interface Receipt {
  readonly queue: QueueRef;
  readonly id: string;
  readonly token: number;
}

export interface PublishItem {
  /** Every queue that gets a copy: all of them or, when one refuses, none. */
  readonly targets: readonly QueueRef[];
  readonly message: NewMessage;
}

export type PublishOutcome =
  | {
      /**
       * 'duplicate': every target had it already; `id` is the first one's. 'replaced' (`keepLast`):
       * no target stored a new one, and at least one has it in the place of another, whose id it has.
       */
      readonly status: 'stored' | 'replaced' | 'duplicate';
      readonly id: string;
      /** The ids in order of `targets`, when there are several. */
      readonly ids?: readonly string[];
      /** What `drop-oldest` put out to make room. */
      readonly evicted?: readonly Evicted[];
    }
  | { readonly status: 'full'; readonly queue: string; readonly limit: 'maxSize' | 'maxBytes' }
  | { readonly status: 'missing'; readonly queue: string };

export interface Evicted {
  readonly id: string;
  readonly queue: string;
  /** The dead-letter queue it moved to, or null when it is gone. */
  readonly movedTo: string | null;
}

export interface TakeRequest {
  readonly queue: QueueRef;
  readonly consumerId: string;
  /** Most messages to lease. */
  readonly max: number;
  /** Length of the lease in milliseconds. */
  readonly leaseDuration: number;
  /**
   * The holder lives and dies with this driver instance: when the store is opened again after a
   * crash, such a lease has ended, whatever its time. Otherwise it goes on until its time, as every
   * lease does in a store that several processes have open.
   */
  readonly bound: boolean;
  /**
   * The answer need not wait until the leases are durable, which they are soon: after a crash the store
   * may not know of the last ones, and their messages come again uncounted. A store may wait all the same.
   */
  readonly early?: boolean;
  /**
   * Most messages of one group in this batch (they have one holder then). Heeded where
   * `groupMaxInFlight` is 1.
   */
  readonly perGroup: number;
  /** Lease just these, in any order, from ready or scheduled; due or not, parked or not. */
  readonly ids?: readonly string[];
}

export interface TakeResult {
  readonly messages: readonly LeasedMessage[];
  /**
   * Milliseconds until a rate limit that held something back lets the next one go; null: none did.
   * What a limit in flight holds back is told by the notifier, once a lease ends.
   */
  readonly retryIn: number | null;
}

/** Somebody who is given what arrives in a queue, as it arrives. Neither method may throw. */
export interface ArrivalTaker {
  /** Asked when messages are there that nobody has: what it takes of them now; null: nothing. */
  request(): TakeRequest | null;
  /** Answers each request, soon after it. */
  taken(result: TakeResult): void;
}

export interface ReleaseItem {
  readonly receipt: Receipt;
  /** Milliseconds until it is available again; 0: back to its old place. `Infinity`: {@link NEVER}. */
  readonly delay: number;
  /**
   * 'retry': the delivery failed, counts in retryCount and deliveryCount;
   * 'requeue': it was delivered, but does not count as a retry;
   * 'unstarted': no handler saw it, nothing counts.
   */
  readonly as: 'retry' | 'requeue' | 'unstarted';
  /** Its holder died: hand it out alone, one suspect of the queue at a time (G6). */
  readonly suspect?: boolean;
  /** It waits for room in a dead-letter queue, or for a person. `null` lifts the mark. */
  readonly parked?: NewDeath | null;
}

export interface MoveItem {
  readonly receipt: Receipt;
  /** One copy goes to each; none: the message is gone. The first keeps the id. */
  readonly targets: readonly QueueRef[];
  /** Recorded with the store's time; left out for a redrive. */
  readonly death?: NewDeath;
}

export type MoveOutcome =
  | {
      readonly status: 'moved';
      readonly ids: readonly string[];
      /** What `drop-oldest` put out of the targets to make room. */
      readonly evicted?: readonly Evicted[];
    }
  | { readonly status: 'lost' }
  | { readonly status: 'full' | 'missing'; readonly queue: string };

export interface ExtendItem {
  readonly receipt: Receipt;
  /** Milliseconds from now. */
  readonly leaseDuration: number;
}

/** Why the sweeper holds a message. */
export interface SweptMessage extends LeasedMessage {
  readonly cause: 'lease-expired' | 'expired';
}

export interface SweepResult {
  /** Leased to the sweeper, for core to settle, release or move. */
  readonly messages: readonly (SweptMessage & { readonly queue: number })[];
  /** Milliseconds until something will be due (0: now, there is more); null: nothing is. */
  readonly nextIn: number | null;
}

export interface BrowseRequest {
  readonly queue: QueueRef;
  readonly state: MessageState;
  /** Where the last page ended. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface BrowsePage {
  readonly messages: readonly StoredMessage[];
  /** Give it to the next call; null at the end. */
  readonly cursor: string | null;
}

export interface QueueCounts {
  readonly ready: number;
  readonly scheduled: number;
  readonly leased: number;
  readonly bytes: number;
  /** When the longest-waiting ready message was stored; null when none is ready. */
  readonly oldestTimestamp: number | null;
  /** Messages that came to the queue since it was made, sent or moved: rates are made of it. */
  readonly arrived: number;
}

/** Indexes into the call's array of those whose lease was not the present one. Mostly empty. */
export type LostIndexes = readonly number[];

/**
 * A transaction that the caller has begun, in the same database as the store: what is done in it
 * happens when it commits, and never if it rolls back.
 */
export interface Transaction {
  /** Runs one statement. @returns its rows, as `rows` or as the array itself */
  query(
    text: string,
    values: unknown[],
  ): Promise<{ readonly rows: unknown[] } | readonly unknown[]>;
}

export interface PublishOptions {
  /** All items or none: if one is refused, the others answer as it does. */
  readonly atomic?: boolean;
  /** Where `supports.transactions`. Nothing is retried: a failure is the caller's to roll back. */
  readonly transaction?: Transaction | undefined;
}

export interface SettleOptions {
  /** Where `supports.transactions`: gone when it commits, still leased if it rolls back. */
  readonly transaction?: Transaction | undefined;
}

/** A store. Each method names the guarantee it holds. */
export interface Driver {
  /** For messages to people: 'memory', 'lmdb', … */
  readonly name: string;
  readonly supports: Capabilities;
  readonly topology: TopologyStore;
  readonly notifier: Notifier;

  /**
   * Where `supports.managed` may change, or others are served: hands over who acts for all, once the
   * system that was opened on the store is ready to.
   */
  entrust?(housekeeper: Housekeeper): void;

  /**
   * When it was opened, by its clock, if who had it before did not close it; else null. What had been
   * stored by then may have been handed out, counted or not (see `TakeRequest.early`).
   */
  readonly recoveredAt?: number | null;

  /** The store's clock (G14). @returns milliseconds since 1970 */
  now(): Promise<number>;

  /** Opens the store; leases of bound holders from before have ended. @throws StorageInUseError */
  open(): Promise<void>;
  /** Finishes what was begun, then lets go of the store. Idempotent. */
  close(): Promise<void>;

  /**
   * new -> ready or scheduled. Resolved means durable (G1), within the bounds (G8), stored once
   * per deduplicationId and window (G12), answered per item (G13).
   */
  publish(
    items: readonly PublishItem[],
    options?: PublishOptions,
  ): Promise<readonly PublishOutcome[]>;

  /**
   * ready -> leased, highest priority first, then by sequence (G5); nothing past its TTL (G9), of
   * a group only what may be held (G11), a suspect only alone (G6), no more and no faster than the
   * queue's limits allow. Promotes what is due.
   */
  take(request: TakeRequest): Promise<TakeResult>;

  /**
   * Where a store can: takes messages in the commit that makes them ready, instead of after it, as far
   * as each taker of the queue asks for them. They are handed out before that commit is durable, as
   * with `TakeRequest.early`; should it fail, they were never stored, and their receipts prove nothing.
   * What is not taken so is told by the notifier, as ever.
   * @returns how to stop
   */
  takeArrivals?(queue: QueueRef, taker: ArrivalTaker): () => void;

  /**
   * leased -> gone, where a message came by `takeArrivals` and is not stored yet: then it never is, and
   * counts as published. @returns false: it has to be settled
   */
  settleAtOnce?(receipt: Receipt): boolean;

  /** leased -> gone. */
  settle(receipts: readonly Receipt[], options?: SettleOptions): Promise<LostIndexes>;

  /** leased -> ready or scheduled, never refused for want of room (G8). */
  release(items: readonly ReleaseItem[]): Promise<LostIndexes>;

  /**
   * leased here -> ready in each target, at no moment in both or neither (G7). Clears the message's
   * TTL (the target's `messageTtl` begins) and counts, takes a new sequence, keeps headers, group and deaths. Bypasses deduplication.
   */
  move(items: readonly MoveItem[]): Promise<readonly MoveOutcome[]>;

  /** Leases end later, counted from now. */
  extend(items: readonly ExtendItem[]): Promise<LostIndexes>;

  /**
   * Leases what expired (leases, TTL) to the sweeper, with a token (two sweepers cannot both act),
   * promotes what is due, forgets old deduplication records.
   * @param max most messages to answer
   */
  sweep(max: number): Promise<SweepResult>;

  /** A page of stored messages, without taking them. A page may be short without being the last. */
  browse(request: BrowseRequest): Promise<BrowsePage>;

  /** The stored message with this id, or null. */
  get(id: string): Promise<StoredMessage | null>;

  /** Exact over stored states, without counting (G10). */
  counts(queue: QueueRef): Promise<QueueCounts>;

  /** ready and scheduled -> gone; leased ones stay. @returns how many */
  purge(queue: QueueRef): Promise<number>;

  /**
   * Removes the queue's topology entry and all it holds; its leases are void.
   * @param options.onlyIfEmpty refuse when a message is stored in any state
   * @returns messages removed, or refused with how many are there
   */
  deleteQueue(
    queue: QueueRef,
    options: { readonly onlyIfEmpty: boolean },
  ): Promise<{ readonly deleted: boolean; readonly messages: number }>;
}
