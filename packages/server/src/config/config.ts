import type {
  BindConfig,
  Duration,
  ExchangeConfig,
  NamedScheduleConfig,
  QueueConfig,
} from 'wherry';
import type { Permission } from '../access/identity.ts';

/** A number of bytes, or a number with a unit of 1,024: `'64kb'`, `'16mb'`, `'2gb'`. */
export type ByteCount = number | string;

/** A user that the configuration names. */
export interface UserConfig {
  readonly name: string;
  /** Exactly one of `password` and `passwordHash`. */
  readonly password?: string | undefined;
  readonly passwordHash?: string | undefined;
  readonly admin: boolean;
  readonly permissions: readonly Permission[];
}

/** An API token that the configuration names. */
export interface TokenConfig {
  readonly name: string;
  /** SHA-256 of the token, in lower-case hex: the token itself is nowhere. */
  readonly digest: string;
  readonly admin: boolean;
  readonly permissions: readonly Permission[];
}

/** What a broker bears at most. Times in milliseconds. */
export interface BrokerLimits {
  readonly bodyBytes: number;
  readonly headerBytes: number;
  readonly connections: number;
  readonly inFlightBytes: number;
  readonly batch: number;
  readonly longPolls: number;
  readonly longPollMs: number;
  readonly pushCredit: number;
  readonly eventsPerSecond: number;
  readonly unreadBytes: number;
  readonly requestTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly vhosts: number;
  /** In a virtual host, as the two below. */
  readonly queues: number;
  readonly exchanges: number;
  readonly bindings: number;
  readonly loginsPerMinute: number;
  readonly metricQueues: number;
  readonly historyQueues: number;
  /** Least bytes that are free where the store is; 0: none. */
  readonly diskFree: number;
  /** Bytes, or up to 1 the share of what there is; 0: any. */
  readonly memory: number;
}

/** The AMQP 0-9-1 server. Times in milliseconds. */
export interface AmqpConfig {
  readonly enabled: boolean;
  readonly port: number;
  /** Undefined: no AMQP over TLS. */
  readonly tlsPort?: number | undefined;
  /** File with the authorities whose clients' certificates let in without a password. */
  readonly clientCa?: string | undefined;
  readonly heartbeat: number;
  readonly frameMax: number;
  readonly channelMax: number;
  readonly connections: number;
  readonly consumers: number;
  readonly handshakeTimeout: number;
  readonly unacknowledged: number;
  readonly acknowledgeTimeout: number;
  readonly brokerTimeout: number;
  readonly product: string;
}

export type LogLevel = 'silent' | 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** A broker's configuration with nothing left to default. Each key: docs/configuration.md. */
export interface BrokerConfig {
  readonly store: string;
  readonly host: string;
  readonly port: number;
  readonly tls?:
    | {
        readonly cert: string;
        readonly key: string;
        readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
      }
    | undefined;
  readonly amqp: AmqpConfig;
  readonly users: readonly UserConfig[];
  readonly tokens: readonly TokenConfig[];
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly limits: BrokerLimits;
  readonly log: {
    readonly level: LogLevel;
    readonly format: 'auto' | 'json' | 'pretty';
    readonly requests: boolean;
  };
  readonly metrics: boolean;
  readonly tracing: boolean;
  readonly dashboard: boolean;
  /** Milliseconds. */
  readonly shutdownTimeout: number;
  readonly queues: readonly QueueConfig[];
  readonly exchanges: readonly ExchangeConfig[];
  readonly bindings: readonly BindConfig[];
  readonly schedules: readonly NamedScheduleConfig[];
}

type UserConfigInput = Pick<UserConfig, 'name' | 'password' | 'passwordHash'> &
  Partial<Pick<UserConfig, 'admin'>> & { readonly permissions?: readonly PermissionInput[] };
type TokenConfigInput = Pick<TokenConfig, 'name' | 'digest'> &
  Partial<Pick<TokenConfig, 'admin'>> & { readonly permissions?: readonly PermissionInput[] };
type PermissionInput = Partial<Permission>;

/** What `serve` takes: any of the keys, durations and byte counts as numbers or strings. */
export interface BrokerConfigInput extends Partial<
  Pick<
    BrokerConfig,
    | 'store'
    | 'host'
    | 'port'
    | 'allowedHosts'
    | 'allowedOrigins'
    | 'metrics'
    | 'tracing'
    | 'dashboard'
    | 'queues'
    | 'exchanges'
    | 'bindings'
    | 'schedules'
  >
> {
  readonly tls?: {
    readonly cert: string;
    readonly key: string;
    readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  };
  readonly amqp?: Partial<
    Omit<
      AmqpConfig,
      'heartbeat' | 'frameMax' | 'handshakeTimeout' | 'acknowledgeTimeout' | 'brokerTimeout'
    >
  > & {
    readonly heartbeat?: Duration;
    readonly frameMax?: ByteCount;
    readonly handshakeTimeout?: Duration;
    readonly acknowledgeTimeout?: Duration;
    readonly brokerTimeout?: Duration;
  };
  readonly users?: readonly UserConfigInput[];
  readonly tokens?: readonly TokenConfigInput[];
  readonly limits?: { readonly [name in keyof BrokerLimits]?: Duration | ByteCount };
  readonly log?: Partial<BrokerConfig['log']>;
  readonly shutdownTimeout?: Duration;
}
