import type { Duration } from './duration.ts';

/** Text names of values that travel with a message. Keys and values count towards the limits. */
export type Headers = Record<string, HeaderValue>;
export type HeaderValue = string | number | boolean | null;

/** How a store tells a message that is sent again from a new one. Ids of the two do not meet. */
export type Deduplication =
  /** The first is stored; others within `window` of it are not. */
  | { readonly id: string; readonly mode: 'throttle'; readonly window: Duration }
  /** The last is stored: while one waits, the next takes its place. */
  | { readonly id: string; readonly mode: 'keep-last' };

/** What a producer gives. */
export interface Message<T = unknown> {
  /** A JSON value, a string, or bytes (`Uint8Array`). Strings and bytes are stored untouched. */
  readonly payload: T;
  readonly contentType?: string;
  readonly headers?: Headers;
  /** 0 (default) to 255; higher is leased first. Ignored between messages of one group. */
  readonly priority?: number;
  /** Time to live from first availability on; the queue's `messageTtl` if that is shorter. */
  readonly ttl?: Duration;
  /** Time until the message becomes available. */
  readonly delay?: Duration;
  /** The moment it becomes available, instead of `delay`: a Date or milliseconds since 1970. */
  readonly deliverAt?: Date | number;
  /** Overrides the queue's `maxRetries` for this message. */
  readonly maxRetries?: number;
  /** Sent twice within the queue's `deduplicationWindow`, the message is stored once. */
  readonly deduplicationId?: string;
  /** The same with a window of its own, or with the last kept; instead of `deduplicationId`. */
  readonly deduplication?: Deduplication;
  /** Messages of one group are handled one after the other, in order. */
  readonly groupId?: string;
  readonly correlationId?: string;
  readonly replyTo?: string;
  /** The client's own id, a property like any other; the key stays Wherry's. */
  readonly messageId?: string;
}

/** Why a message left a queue for its dead letters. */
export type DeathReason =
  | 'rejected'
  | 'max-retries'
  | 'lease-expired'
  | 'expired'
  | 'overflow'
  | 'invalid';

/** How a dead message went on through an exchange. */
export interface DeathRoute {
  /** Where it had been published, and the keys it was routed by. */
  readonly exchange: string;
  readonly routingKeys: readonly string[];
  /** Where it was published then, and the keys it was routed by there. */
  readonly toExchange: string;
  readonly toRoutingKeys: readonly string[];
}

/** One entry of a message's death record. Equal (queue, reason) are counted together. */
export interface Death {
  readonly queue: string;
  readonly reason: DeathReason;
  /** Milliseconds since 1970, by the store's clock: of the latest death of this kind. */
  readonly time: number;
  readonly count: number;
  /** The last error's message and stack, trimmed. */
  readonly error?: string;
  readonly stack?: string;
  /** Of the latest death of this kind, if it went through a dead-letter exchange. */
  readonly route?: DeathRoute;
}

/** A death that is about to be recorded: the store adds the time. */
export type NewDeath = Omit<Death, 'time' | 'count'>;

export type MessageState = 'ready' | 'scheduled' | 'leased';

/** Who holds a message, and until when. */
export interface Lease {
  readonly consumerId: string;
  /** Changes with every lease, so a holder that lost it can be told from the present one. */
  readonly token: number;
  /** Milliseconds since 1970, by the store's clock. */
  readonly until: number;
}

/** What the store holds and a consumer gets. All times are milliseconds since 1970. */
export interface Envelope<T = unknown> {
  /** 32 lower-case hex digits: a UUIDv7 without dashes. */
  readonly id: string;
  readonly queueName: string;
  readonly message: Message<T>;
  /** When it was stored. */
  readonly timestamp: number;
  readonly priority: number;
  /** How often it was tried and failed since it came to this queue. */
  readonly retryCount: number;
  /** How often it was handed out since it came to this queue, the present delivery included. */
  readonly deliveryCount: number;
  readonly availableAt: number;
  readonly expiresAt: number | null;
  readonly state: MessageState;
  readonly lease: Lease | null;
  readonly deaths: readonly Death[];
  /** Set while the message waits, at its source, for room in its dead-letter queue. */
  readonly parked: NewDeath | null;
  /** The same for all copies of one fan-out; else the message's own id. */
  readonly publishId: string;
}
