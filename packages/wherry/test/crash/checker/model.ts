import type {
  AuditedQueue,
  Delivered,
  HistoryEvent,
  QueueOp,
  SendInvoked,
  SettleOp,
  Stamp,
} from '../history.ts';

/** What the checker must know of a queue's settings. Times in milliseconds. */
export interface QueueRules {
  readonly name: string;
  readonly maxRetries: number;
  /** Where its dead go; null: nowhere, they stay. */
  readonly deadLetters: string | null;
  /** It names that queue itself: then what expires goes there, too. */
  readonly keepsExpired: boolean;
  readonly messageTtl: number | null;
  /** The shortest waits that may come of it. */
  readonly backoff: { readonly delay: number; readonly factor: number; readonly maxDelay: number };
  readonly maxSize: number | null;
  readonly dropsOldest: boolean;
}

/** `info`: nobody knows whether it happened. */
export type Outcome = 'ok' | 'fail' | 'info';

interface Operation {
  readonly process: number;
  readonly invokedAt: number;
  outcome: Outcome;
  /** Of an `info`: when its process ended, at the latest. */
  endedAt: number;
}

export interface Send extends Operation {
  readonly spec: SendInvoked;
  /** In order of the spec's queues. */
  ids: readonly string[];
  duplicate: boolean;
}

export interface Settle extends Operation {
  readonly op: SettleOp;
  readonly id: string;
  readonly token: number;
  readonly delay: number | null;
  error: string;
}

export interface QueueAction extends Operation {
  readonly op: QueueOp;
  readonly queue: string;
  count: number;
}

export interface Delivery extends Delivered, Stamp {
  readonly copy: Copy;
  /** By the history's clock, as all times here. */
  readonly leasedAt: number;
  /** Between these two the lease ends, unless it is settled: extensions make it uncertain. */
  leaseEndMin: number;
  leaseEndMax: number;
  /** How often the message had died: tells its stays in a queue apart. */
  readonly deathCount: number;
  /** What was done with this lease, in order. */
  readonly settles: Settle[];
}

/** One message in one queue: a fan-out makes several of one send. */
export interface Copy {
  readonly key: string;
  /** The queue that it was sent to. */
  readonly home: string;
  /** More than one when the sender did not know how the first went, or asked for a duplicate. */
  readonly sends: Send[];
  /** Null until it is seen. */
  id: string | null;
  /** In order of their leases. */
  readonly deliveries: Delivery[];
  /** When somebody first knew it to be stored: Infinity if nobody did. */
  seenAt: number;
}

export interface Audit extends Stamp {
  readonly stable: boolean;
  readonly queues: Readonly<Record<string, AuditedQueue>>;
}

/** The time from a process's first event until it was gone. */
export interface Life {
  readonly number: number;
  readonly startedAt: number;
  /** Null: it never opened the store. */
  openedAt: number | null;
  /** When it began to close in peace. */
  closingAt: number | null;
  endedAt: number;
  /** Null: it was not killed. */
  signal: string | null;
  /** Whether the leases of its consumers end with it. */
  endsLeases: boolean;
  /** The store's clock less the history's. */
  clockOffset: number;
}

/** The history put in order. */
export interface Model {
  readonly events: readonly HistoryEvent[];
  readonly rules: ReadonlyMap<string, QueueRules>;
  readonly lives: ReadonlyMap<number, Life>;
  /** Milliseconds by which the clocks of two processes may differ. */
  readonly slack: number;
  /** How often a lease may have been made between two moments that nobody could tell of. */
  readonly hiddenBetween: (from: number, to: number) => number;
  readonly sends: readonly Send[];
  readonly copies: readonly Copy[];
  readonly deliveries: readonly Delivery[];
  readonly settles: readonly Settle[];
  readonly actions: readonly QueueAction[];
  readonly audits: readonly Audit[];
  /** The copy with this id, if it is known. */
  readonly copyOf: (id: string) => Copy | undefined;
}

/** What the spec of all sends of a copy says, apart from how they were made. */
export function specOf(copy: Copy): SendInvoked {
  return copy.sends[0]!.spec;
}

/** When the first of its sends began. */
export function begunAt(copy: Copy): number {
  return copy.sends[0]!.invokedAt;
}

/** When the sender first knew that it was stored; Infinity if it never did. */
export function confirmedAt(copy: Copy): number {
  let first = Infinity;
  for (const { outcome, endedAt } of copy.sends) {
    if (outcome === 'ok') first = Math.min(first, endedAt);
  }
  return first;
}

/** Where dead letters go that died in their dead-letter queue, too: somebody sends them there. */
export const RESCUE_QUEUE = 'rescue';

/** Whether a message may be in this queue at some time. */
export function isPlace(
  rules: ReadonlyMap<string, QueueRules>,
  copy: Copy,
  queue: string,
): boolean {
  return (
    queue === copy.home || queue === rules.get(copy.home)?.deadLetters || queue === RESCUE_QUEUE
  );
}

/** Milliseconds that a message may live in its home; null: for ever. */
export function ttlOf(copy: Copy, rules: QueueRules): number | null {
  const { ttl } = specOf(copy);
  if (ttl === null || rules.messageTtl === null) return ttl ?? rules.messageTtl;
  return Math.min(ttl, rules.messageTtl);
}
