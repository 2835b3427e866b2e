/** The HTTP API's answers, as far as the dashboard shows them. All times are ms since 1970. */

/** RFC 9457, as the broker answers it. */
export interface Problem {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly field?: string;
  readonly limit?: number;
  readonly requestId?: string;
}

export interface Permission {
  readonly vhost: string;
  readonly configure: readonly string[];
  readonly write: readonly string[];
  readonly read: readonly string[];
}

export interface Identity {
  readonly kind: 'user' | 'token' | 'anonymous';
  readonly name: string;
  readonly admin: boolean;
  readonly permissions: readonly Permission[];
}

export interface Session {
  readonly identity: Identity;
  /** Goes with each request that changes something; null without a session's cookie. */
  readonly csrfToken: string | null;
}

/** Per second, over about the last minute. */
interface Rates {
  readonly enqueued: number;
  readonly acknowledged: number;
}

export interface Alarm {
  readonly kind:
    | 'queue-full'
    | 'dead-letters'
    | 'overloaded'
    | 'store'
    | 'disk'
    | 'memory'
    | 'store-full';
  /** Null: of the whole broker. */
  readonly vhost: string | null;
  readonly queue: string | null;
  readonly detail: string;
}

export interface Overview {
  readonly version: string;
  readonly startedAt: number;
  readonly vhosts: readonly Totals[];
  readonly alarms: readonly Alarm[];
}

/** Of a virtual host. */
interface Totals {
  readonly name: string;
  readonly rates: Rates;
  readonly queues: number;
  readonly ready: number;
  readonly scheduled: number;
  readonly leased: number;
  readonly bytes: number;
  readonly consumers: number;
}

export interface Backoff {
  readonly type: 'fixed' | 'exponential';
  readonly delay: number;
  readonly factor: number;
  readonly maxDelay: number;
  readonly jitter: number;
}

type Settings = Readonly<Record<string, unknown>> & {
  readonly paused: boolean;
  readonly deadLetterQueue: string | null;
  readonly maxSize: number | null;
};

export interface QueueInfo {
  readonly name: string;
  readonly settings: Settings;
  readonly ready: number;
  readonly scheduled: number;
  readonly leased: number;
  readonly bytes: number;
  readonly messageCount: number;
  readonly oldestAge: number | null;
  readonly consumerCount: number;
  readonly rates: Rates;
}

export interface QueuePage {
  readonly queues: readonly QueueInfo[];
  readonly total: number;
  readonly cursor: string | null;
}

export interface History {
  /** Milliseconds between two samples. */
  readonly step: number;
  readonly from: number;
  readonly series: Readonly<Record<string, readonly (number | null)[]>>;
}

export type Range = 'minutes' | 'hours' | 'day';

export type MessageState = 'ready' | 'scheduled' | 'leased';

export interface Death {
  readonly queue: string;
  readonly reason: string;
  readonly time: number;
  readonly count: number;
  readonly error?: string;
  readonly stack?: string;
}

export interface StoredMessage {
  readonly id: string;
  readonly queueName: string;
  readonly payload?: unknown;
  /** The payload is bytes, as base64 text. */
  readonly payloadEncoding?: 'base64';
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly timestamp: number;
  readonly priority: number;
  readonly retryCount: number;
  readonly deliveryCount: number;
  readonly availableAt: number;
  readonly expiresAt: number | null;
  readonly state: MessageState;
  readonly lease?: { readonly consumerId: string; readonly until: number } | null;
  readonly deaths: readonly Death[];
  readonly parked?: { readonly queue: string; readonly reason: string } | null;
  readonly groupId?: string;
  readonly correlationId?: string;
  readonly replyTo?: string;
  readonly messageId?: string;
  readonly deduplicationId?: string;
}

export interface MessagePage {
  readonly messages: readonly StoredMessage[];
  readonly cursor: string | null;
}

export interface DeadLetterGroup {
  readonly deadLetterQueue: string;
  readonly queue: string | null;
  readonly reason: string | null;
  readonly count: number;
  readonly oldest: number;
  readonly newest: number;
  /** Of the newest. */
  readonly error: string | null;
}

export interface DeadLetterSummary {
  readonly groups: readonly DeadLetterGroup[];
  /** False: there are more than were counted. */
  readonly complete: boolean;
}

export interface Exchange {
  readonly name: string;
  readonly type: 'direct' | 'fanout' | 'topic' | 'headers';
  readonly alternateExchange: string | null;
  readonly internal: boolean;
}

export interface Binding {
  readonly exchange: string;
  readonly destination: { readonly type: 'queue' | 'exchange'; readonly name: string };
  readonly routingKey: string;
  readonly headers: Readonly<Record<string, unknown>> | null;
  readonly match: string;
}

export interface Exchanges {
  readonly exchanges: readonly Exchange[];
}

export interface Bindings {
  readonly bindings: readonly Binding[];
}

export interface Schedule {
  readonly name: string;
  readonly cron: string | null;
  readonly timezone: string | null;
  readonly every: number | null;
  readonly queue: string | null;
  readonly exchange: string | null;
  readonly routingKey: string | null;
  readonly paused: boolean;
  readonly lastTick: number | null;
  readonly sent: number;
}

export interface Schedules {
  readonly schedules: readonly Schedule[];
}

export interface ConsumerInfo {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  /** What its leases carry. */
  readonly consumer: string;
  readonly user: string | null;
  readonly remoteAddress: string | null;
  readonly since: number | null;
  /** Null: the broker does not know. */
  readonly held: number | null;
  readonly credit: number | null;
  /** Null: it does not speak AMQP; 0: any number. */
  readonly prefetch: number | null;
}

export interface Consumers {
  readonly consumers: readonly ConsumerInfo[];
}

export interface Connections {
  readonly connections: readonly ConnectionInfo[];
}

export interface ConnectionInfo {
  readonly id: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly since: number;
  readonly protocol: string;
  readonly user: string | null;
  readonly userAgent: string | null;
  readonly requests: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly amqp: AmqpConnection | null;
}

export interface AmqpConnection {
  readonly state: string;
  readonly vhost: string | null;
  /** What its client calls it. */
  readonly name: string | null;
  readonly channels: readonly AmqpChannel[];
}

export interface AmqpChannel {
  readonly number: number;
  /** 0: any number. */
  readonly prefetch: number;
  readonly globalPrefetch: number;
  readonly consumers: number;
  readonly unacknowledged: number;
  readonly unconfirmed: number;
  readonly isConfirm: boolean;
  readonly isTransactional: boolean;
}

export interface User {
  readonly name: string;
  readonly admin: boolean;
  readonly permissions: readonly Permission[];
  readonly source: 'store' | 'config';
}

export interface Token {
  readonly name: string;
  readonly lastFour: string | null;
  readonly source: 'store' | 'config';
  readonly admin: boolean;
  readonly permissions: readonly Permission[];
  readonly createdAt: number | null;
  readonly expiresAt: number | null;
}

export interface Users {
  readonly users: readonly User[];
}

export interface Tokens {
  readonly tokens: readonly Token[];
}

export interface Vhosts {
  readonly vhosts: readonly Vhost[];
}

export interface Vhost {
  readonly name: string;
  readonly messageCount?: number;
  readonly queues?: number;
}
