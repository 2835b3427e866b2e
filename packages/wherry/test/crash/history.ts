/**
 * The history of a run: one JSON line per event, in the order in which the supervising process,
 * which is never killed, received them. An operation has an `invoke`, written before it can take
 * effect, and one of `ok`, `fail` (it did not happen) and `info` (nobody knows). An `invoke` that
 * nothing follows is an `info`: the process died.
 */

/** Milliseconds of the machine's monotonic clock, which all its processes share. */
export function monotonicNow(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** The process that writes what the others say, and what it does to them. */
export const SUPERVISOR = -1;

/** Ties the phases of one operation together; unique within a process. */
export type Call = number;

export interface SendInvoked {
  readonly op: 'send';
  readonly phase: 'invoke';
  readonly call: Call;
  /** Names the message, whatever ids the queue gives: `producer:process:seq`. */
  readonly key: string;
  readonly producer: string;
  readonly seq: number;
  /** One copy is to go to each. */
  readonly queues: readonly string[];
  readonly priority: number;
  readonly group: string | null;
  /** Milliseconds. */
  readonly delay: number;
  /** Milliseconds. */
  readonly ttl: number | null;
  readonly maxRetries: number | null;
  readonly deduplicationId: string | null;
  readonly bodyHash: string;
  /** Sends with the same number are all stored, or none. */
  readonly atomicBatch: number | null;
  /** How the payload is made; see `workload/messages.ts`. */
  readonly kind: string;
  /** The routing key, if it goes through the exchange. */
  readonly routingKey: string | null;
}

interface SendDone {
  readonly op: 'send';
  readonly phase: 'ok';
  readonly call: Call;
  /** In order of `queues`. */
  readonly ids: readonly string[];
  readonly duplicate: boolean;
}

/** How often a message died: where, why, how often. */
export type DeathEntry = readonly [queue: string, reason: string, count: number];

export interface Delivered {
  readonly op: 'deliver';
  readonly phase: 'ok';
  readonly queue: string;
  readonly consumer: string;
  /** The lease ends with the process. */
  readonly bound: boolean;
  /** The same for messages that one handler got together. */
  readonly batch: number;
  readonly id: string;
  readonly key: string;
  readonly priority: number;
  readonly group: string | null;
  readonly bodyHash: string;
  readonly deliveryCount: number;
  readonly retryCount: number;
  readonly deaths: readonly DeathEntry[];
  readonly token: number;
  /** By the store's clock, in milliseconds since 1970. */
  readonly until: number;
  /** Milliseconds. */
  readonly leaseDuration: number;
}

/** How a consumer ends or prolongs a lease. */
export type SettleOp = 'ack' | 'retry' | 'requeue' | 'dead-letter' | 'extend';

export interface SettleInvoked {
  readonly op: SettleOp;
  readonly phase: 'invoke';
  readonly call: Call;
  readonly id: string;
  readonly token: number;
  /** Of a retry: the wait asked for, null for the back-off. Of an extension: the new length. */
  readonly delay: number | null;
}

/** What is done to a queue as a whole. `stop`: somebody gives back what was not begun. */
export type QueueOp = 'purge' | 'redrive' | 'stop';

interface QueueOpInvoked {
  readonly op: QueueOp;
  readonly phase: 'invoke';
  readonly call: Call;
  readonly queue: string;
}

export interface OpDone {
  readonly op: SettleOp | QueueOp;
  readonly phase: 'ok';
  readonly call: Call;
  /** Messages purged or moved. */
  readonly count: number | null;
}

export interface OpFailed {
  readonly op: 'send' | SettleOp | QueueOp;
  readonly phase: 'fail' | 'info';
  readonly call: Call;
  /** The error's code. */
  readonly error: string;
}

export interface AuditedMessage {
  readonly id: string;
  readonly key: string;
  readonly state: 'ready' | 'scheduled' | 'leased';
  readonly parked: boolean;
  readonly deaths: readonly DeathEntry[];
}

export interface AuditedQueue {
  readonly ready: number;
  readonly scheduled: number;
  readonly leased: number;
  readonly bytes: number;
  readonly messages: readonly AuditedMessage[];
}

/** The counts of every queue beside what browsing found. */
export interface Audited {
  readonly op: 'audit';
  readonly phase: 'ok';
  /** Nothing changed while it was made. */
  readonly stable: boolean;
  readonly queues: Readonly<Record<string, AuditedQueue>>;
}

interface OpenInvoked {
  readonly op: 'open';
  readonly phase: 'invoke';
}

export interface Opened {
  readonly op: 'open';
  readonly phase: 'ok';
  /** The store's clock less the monotonic one, in milliseconds. */
  readonly clockOffset: number;
  /** Other processes have the store open, too: the leases of one that dies go on until their time. */
  readonly shared: boolean;
}

interface Closed {
  readonly op: 'close';
  readonly phase: 'invoke' | 'ok';
}

/** Written by the supervisor when the process is gone; `signal` is null after an exit. */
interface Died {
  readonly op: 'death';
  readonly phase: 'info';
  readonly signal: string | null;
}

/** Something was done to a server, a network or a process; written when it was over. */
interface Fault {
  readonly op: 'fault';
  readonly phase: 'info';
  readonly name: string;
  /** When it began. */
  readonly since: number;
}

export type HistoryRecord =
  | SendInvoked
  | SendDone
  | Delivered
  | SettleInvoked
  | QueueOpInvoked
  | OpDone
  | OpFailed
  | Audited
  | OpenInvoked
  | Opened
  | Closed
  | Died
  | Fault;

export interface Stamp {
  /** @see monotonicNow */
  readonly t: number;
  /** Counts the processes that had the store open, from 0; `SUPERVISOR` never had. */
  readonly process: number;
}

export type HistoryEvent = HistoryRecord & Stamp;
