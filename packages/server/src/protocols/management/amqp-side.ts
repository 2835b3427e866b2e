/** Arguments and headers as JSON has them. */
export type PlainTable = Readonly<Record<string, unknown>>;

/** A queue, as AMQP knows it. */
export interface AmqpQueue {
  readonly name: string;
  readonly type: 'classic' | 'quorum';
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  /** The id of the connection that an exclusive queue belongs to. */
  readonly owner: string | null;
  readonly arguments: PlainTable;
  /** False: the library or our own API has made it; its settings say what it is like. */
  readonly isDeclared: boolean;
}

export interface AmqpExchange {
  readonly name: string;
  /** Beside the types of routing, `x-delayed-message`. */
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: PlainTable;
}

export interface AmqpBinding {
  readonly source: string;
  readonly destination: string;
  readonly destinationType: 'queue' | 'exchange';
  readonly routingKey: string;
  readonly arguments: PlainTable;
}

/** A consumer of a client of this broker. */
export interface AmqpConsumer {
  readonly queue: string;
  readonly tag: string;
  readonly connectionId: string;
  readonly channel: number;
  readonly exclusive: boolean;
  /** False: the queue hands out to one at a time, and it is another's turn. */
  readonly isActive: boolean;
  readonly arguments: PlainTable;
  readonly acknowledges: boolean;
  /** Messages that it may have in hand; 0: any number. */
  readonly prefetch: number;
  readonly unacknowledged: number;
}

/** A message that somebody looks at. */
export interface AmqpMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  /** By the names that RabbitMQ's API has for them. */
  readonly properties: PlainTable;
  readonly payload: Buffer;
}

/** What becomes of messages that were looked at. */
export type GetMode = 'requeue' | 'acknowledge' | 'reject';

export interface AmqpPublish {
  readonly exchange: string;
  readonly routingKey: string;
  /** By the names that RabbitMQ's API has for them. */
  readonly properties: PlainTable;
  readonly payload: Buffer;
  /** Who a message may say that it is from; null: nobody. */
  readonly user: string | null;
}

/** The definitions and messages of one virtual host, by AMQP's rules. */
export interface AmqpVhostSide {
  queues(): AmqpQueue[];
  queue(name: string): AmqpQueue | undefined;
  exchanges(): AmqpExchange[];
  exchange(name: string): AmqpExchange | undefined;
  bindings(): AmqpBinding[];
  consumers(): AmqpConsumer[];
  /**
   * @param authorize is called before it is made, and throws what forbids that
   * @returns whether it is new @throws ValidationError when there is another, or it is wrong
   */
  declareQueue(
    queue: Pick<AmqpQueue, 'name' | 'durable' | 'autoDelete' | 'arguments'>,
    authorize?: () => void,
  ): Promise<boolean>;
  /** @throws QueueNotFoundError, ValidationError when it is in use or not empty, and must not be */
  deleteQueue(
    name: string,
    options: { readonly ifUnused: boolean; readonly ifEmpty: boolean },
  ): Promise<void>;
  /** @throws QueueNotFoundError */
  purgeQueue(name: string): Promise<void>;
  /**
   * Gives a queue the settings that a policy would give it, and leaves its arguments as they are.
   * @param definition of the policy: those parts that are arguments of queues, without `x-`
   * @throws QueueNotFoundError, ValidationError
   */
  applyPolicy(queue: string, definition: PlainTable): Promise<void>;
  /** @param authorize as of a queue @returns whether it is new @throws ValidationError, the same */
  declareExchange(exchange: AmqpExchange, authorize?: () => void): Promise<boolean>;
  /** @throws ExchangeNotFoundError, ValidationError */
  deleteExchange(name: string, options: { readonly ifUnused: boolean }): Promise<void>;
  /** @throws ExchangeNotFoundError, QueueNotFoundError, ValidationError */
  bind(binding: AmqpBinding): Promise<void>;
  /** @param binding one of `bindings()` */
  unbind(binding: AmqpBinding): Promise<void>;
  /** @returns whether it reached a queue @throws ExchangeNotFoundError, QueueFullError, ValidationError */
  publish(publish: AmqpPublish): Promise<boolean>;
  /**
   * Takes messages and gives them back, or not.
   * @param bytesMax of payloads, apart from the first
   * @throws QueueNotFoundError
   */
  get(
    queue: string,
    options: { readonly count: number; readonly bytesMax: number; readonly mode: GetMode },
  ): Promise<AmqpMessage[]>;
}

/** A channel, as people see it. */
export interface AmqpChannel {
  readonly number: number;
  /** For each consumer; 0: any number. */
  readonly prefetch: number;
  /** For all consumers together; 0: any number. */
  readonly globalPrefetch: number;
  readonly consumers: number;
  /** Messages that were delivered, and neither acknowledged nor rejected yet. */
  readonly unacknowledged: number;
  /** Messages that were published, and not confirmed yet. */
  readonly unconfirmed: number;
  readonly isConfirm: boolean;
  readonly isTransactional: boolean;
}

/** A client's connection, as people see it. */
export interface AmqpConnection {
  readonly id: string;
  readonly protocol: 'amqp';
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** 'blocked': it is not read, because an alarm forbids publishes. */
  readonly state: 'starting' | 'running' | 'blocked' | 'closing';
  /** Null until it has logged in. */
  readonly user: string | null;
  /** What has shown itself by that name; null until it has logged in. */
  readonly userKind: 'user' | 'token' | 'anonymous' | null;
  /** Null until it has opened one. */
  readonly vhost: string | null;
  /** Its own name for the connection, if it gives one. */
  readonly name: string | null;
  /** What it says it is. */
  readonly product: string | null;
  readonly version: string | null;
  readonly channels: readonly AmqpChannel[];
  /** Seconds; 0: none. */
  readonly heartbeat: number;
  readonly frameMax: number;
  /** Null: no TLS. */
  readonly tls: { readonly protocol: string; readonly cipher: string } | null;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

/**
 * The AMQP server, as far as the HTTP server has to do with it: neither imports the other, and the
 * broker hands this from one to the other.
 */
export interface AmqpSide {
  /** Where it can be reached; null: it does not listen. */
  readonly port: number | null;
  readonly tlsPort: number | null;
  /** @returns undefined when there is none of this name @throws StorageError */
  vhost(name: string): Promise<AmqpVhostSide | undefined>;
  connections(): AmqpConnection[];
  /** @returns whether there was such a connection */
  closeConnection(id: string, reason: string): boolean;
}
