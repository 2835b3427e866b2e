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

/**
 * The `availableAt` of what never becomes available by itself: the year 10000, beyond every moment
 * a caller can name, and small enough for six bytes.
 */
export const NEVER = 253_402_300_800_000;

/** A queue as a driver sees it: an identity, and the numbers to enforce. */
export interface QueueRef {
  readonly name: string;
  /** The incarnation: unique in the store and never reused, so a queue re-made under a name differs. */
  readonly number: number;
  /** Most messages stored, in all states; `Infinity` for none. */
  readonly maxSize: number;
  /** Most bytes stored (payload, headers and properties), in all states; `Infinity` for none. */
  readonly maxBytes: number;
  /** What `publish` does at the bound. (`block` is core's: it sees 'full' and waits.) */
  readonly overflow: 'reject' | 'drop-oldest';
  /** Where `drop-oldest` moves what it drops; `null`: it is gone. */
  readonly evictTo: QueueRef | null;
  /** Milliseconds a message lives here at most, from first availability on (a move into it included). */
  readonly messageTtl: number | null;
  /** Milliseconds for which a deduplicationId is remembered; 0: never. */
  readonly deduplicationWindow: number;
  /** `false`: held in memory only. */
  readonly durable: boolean;
}

/** How `body` came to be, so that it can be given back as it was. */
export type PayloadEncoding = 'json' | 'text' | 'bytes';

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
  /** An id that was given out before: storing it a second time is a duplicate. */
  readonly id?: string | undefined;
  readonly encoding: PayloadEncoding;
  /** Text for 'json' and 'text', bytes for 'bytes'. */
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
      /** 'duplicate': every target had it already; `id` is the first one's. */
      readonly status: 'stored' | 'duplicate';
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
   * crash, such a lease has ended, whatever its time. Otherwise it goes on until its time.
   */
  readonly bound: boolean;
  /** Most messages of one group in this batch (they have one holder then). */
  readonly perGroup: number;
  /** Lease just these, in any order, from ready or scheduled; due or not, parked or not. */
  readonly ids?: readonly string[];
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
}

/** Indexes into the call's array of those whose lease was not the present one. Mostly empty. */
export type LostIndexes = readonly number[];

/** What a store holds, as data. Core refuses what is not there, with the reason given. */
export interface Capabilities {
  /** What survives when a call has resolved: nothing, a process kill, or a power cut too. */
  readonly durability: 'none' | 'process' | 'power';
  /** `true`, or why a publish to several queues cannot be all or none. */
  readonly atomicFanOut: true | string;
  /** `true`, or why a batch cannot be all or none. */
  readonly atomicBatch: true | string;
}

/** A store. Each method names the guarantee it holds. */
export interface Driver {
  /** For messages to people: 'memory', 'lmdb', … */
  readonly name: string;
  readonly supports: Capabilities;
  readonly topology: TopologyStore;
  readonly notifier: Notifier;

  /** Opens the store; leases of bound holders from before have ended. @throws StorageInUseError */
  open(): Promise<void>;
  /** Finishes what was begun, then lets go of the store. Idempotent. */
  close(): Promise<void>;

  /**
   * new -> ready or scheduled. Resolved means durable (G1), within the bounds (G8), stored once
   * per deduplicationId and window (G12), answered per item (G13).
   * @param options.atomic all items or none: if one is refused, the others answer as it does
   */
  publish(
    items: readonly PublishItem[],
    options?: { readonly atomic?: boolean },
  ): Promise<readonly PublishOutcome[]>;

  /**
   * ready -> leased, highest priority first, then by sequence (G5); nothing past its TTL (G9), of
   * a group only what may be held (G11), a suspect only alone (G6). Promotes what is due.
   */
  take(request: TakeRequest): Promise<readonly LeasedMessage[]>;

  /** leased -> gone. */
  settle(receipts: readonly Receipt[]): Promise<LostIndexes>;

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

/** Queues, exchanges, bindings, schedules, users: small documents by kind and name. */
export interface TopologyEntry {
  readonly kind: string;
  readonly name: string;
  /** Unique in the store, given at creation. */
  readonly number: number;
  /** 1 at creation, one more with each change. */
  readonly version: number;
  readonly value: unknown;
}

export interface TopologyStore {
  load(): Promise<readonly TopologyEntry[]>;
  /**
   * Compare and set.
   * @param expectedVersion 0 to create
   * @returns the stored entry, or null when the version was another
   */
  put(
    entry: { readonly kind: string; readonly name: string; readonly value: unknown },
    expectedVersion: number,
  ): Promise<TopologyEntry | null>;
  /** @returns whether it was removed: false when the version was another */
  remove(kind: string, name: string, expectedVersion: number): Promise<boolean>;
  /** Calls back after each change, those of other processes included. @returns how to stop */
  watch(listener: (change: TopologyChange) => void): () => void;
}

export type TopologyChange =
  | { readonly type: 'put'; readonly entry: TopologyEntry }
  | { readonly type: 'removed'; readonly kind: string; readonly name: string };

/** Wake-ups. A hint, never a promise: polling is the floor. */
export interface Notifier {
  /** 'ready': something can be taken; 'room': something left. @returns how to stop */
  subscribe(listener: (queueNumber: number, what: 'ready' | 'room') => void): () => void;
}
