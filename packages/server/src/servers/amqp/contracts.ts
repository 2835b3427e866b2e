import type { BrokerPort, MessageQueueSystem } from 'wherry';
import type { Access } from '../../access/access.ts';
import type { Action, Identity } from '../../access/identity.ts';
import type { BrokerConfig } from '../../config/config.ts';
import type { AmqpError } from '../../protocols/amqp/errors.ts';
import type { FrameWriter } from '../../protocols/amqp/frame-writer.ts';
import type { Method } from '../../protocols/amqp/methods.ts';
import type { AmqpChannel } from '../../protocols/management/amqp-side.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { AmqpTraffic } from '../../telemetry/amqp-traffic.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import type { LateDefinitions } from '../../vhosts/late-definitions.ts';
import type { VirtualHosts } from '../../vhosts/virtual-hosts.ts';
import type { DirectReplies } from './messages/direct-replies.ts';
import type { ExchangeRegistry } from './definitions/exchange-registry.ts';
import type { Feeds } from './messages/feeds.ts';
import type { QueueRegistry } from './definitions/queue-registry.ts';

/** What all AMQP connections of a broker share. */
export interface AmqpContext {
  readonly version: string;
  /** Tells this broker from others on its store, and from itself before it was started again. */
  readonly instance: string;
  readonly config: BrokerConfig;
  readonly logger: Logger;
  readonly access: Access;
  readonly telemetry: Telemetry;
  readonly traffic: AmqpTraffic;
  readonly vhosts: VirtualHosts;
}

/** A virtual host as AMQP sees it: one per broker, shared by all its connections. */
export interface AmqpVhost {
  readonly name: string;
  readonly mq: MessageQueueSystem;
  readonly port: BrokerPort;
  readonly exchanges: ExchangeRegistry;
  readonly queues: QueueRegistry;
  readonly feeds: Feeds;
  readonly replyTo: DirectReplies;
  /** What other brokers on the same store have made a moment ago. */
  readonly late: LateDefinitions;
  /** Its system is about to close. Never rejects. */
  close(): Promise<void>;
}

/** How a virtual host begins to be served: it resolves when connections may work with it. */
export type MakeVhost = (
  name: string,
  mq: MessageQueueSystem,
  context: AmqpContext,
) => Promise<AmqpVhost>;

/** What a connection gives to its channels. */
export interface ChannelHost {
  /** The same as in the list of connections; never used twice by a broker. */
  readonly connectionId: string;
  readonly broker: AmqpContext;
  readonly vhost: AmqpVhost;
  /** Who logged in; another object after connection.update-secret. */
  readonly identity: Identity;
  /** Its name, for the property `user-id` and for error texts; 'guest' while there are no accounts. */
  readonly user: string;
  /** Longest frame, its 8 bytes of envelope included; both sides keep to it. */
  readonly frameMax: number;
  /** Those that the client has: 'consumer_cancel_notify', 'basic.nack', … */
  readonly clientCapabilities: ReadonlySet<string>;
  /** What is written here goes out after `flush`; once the connection has closed, nowhere. */
  readonly writer: FrameWriter;
  /** Sends what the writer has at the end of the current turn of the event loop. */
  flush(): void;
  /** False: the client has much to read; nothing is delivered until `onDrain` calls back. */
  readonly mayDeliver: boolean;
  /** Calls back each time that `mayDeliver` has become true again. @returns how to stop */
  onDrain(listener: () => void): () => void;
  /**
   * Counts bytes of a publish that is not stored yet: above the limit the socket is not read. What
   * waits for the client, as a transaction does, must not be counted: nothing would ever come.
   */
  hold(bytes: number): void;
  release(bytes: number): void;
  /**
   * Counts bytes that wait for the client. Above the limit, the connection that has most is closed.
   * @param bytes that are more; below 0, less
   */
  reserve(bytes: number): void;
  /** Those that have begun on any of its channels, and not ended. */
  readonly consumers: Set<object>;
  /** Of all its transactions. */
  transactionBytes: number;
  /** What the broker keeps in memory of the messages that the client has in hand: see `keep`. */
  bytesInHand: number;
  /** Whether the user may do it to what has this name. */
  allows(action: Action, name: string): boolean;
  /** @throws AmqpError 403, channel, unless the user may do it to what has this name */
  require(action: Action, name: string, kind: 'queue' | 'exchange'): void;
  /**
   * Closes the connection; or, for an error of scope 'channel', the channel with this number. For
   * what goes wrong outside of a method: what a method throws or rejects with is seen to.
   */
  fail(error: AmqpError, channel?: number): void;
  /**
   * Calls back once, when the connection has ended and its channels have closed, or at once if that
   * has been: for queues that are its own. The client is told that the connection is closed when all have resolved.
   * @returns how to stop
   */
  onClose(listener: () => void | Promise<void>): () => void;
}

/**
 * What a connection needs of a channel. The connection sees to channel.open and channel.close, and
 * to the order of frames: a content header comes only after a method that has content, body frames
 * only until there are as many bytes as the header says.
 */
export interface ChannelEnd {
  /**
   * A method frame. A promise: what comes after it on this channel waits until it resolves.
   * @throws AmqpError, or rejects with it; of anything else the client gets 541
   */
  method(method: Method): void | Promise<void>;
  /** basic.ack, which comes with every delivery. @throws AmqpError */
  acknowledge?(deliveryTag: number, multiple: boolean): void;
  /** The payload of a content header frame. The same holds for what it throws and returns. */
  header(payload: Buffer): void | Promise<void>;
  /** The payload of a body frame. The same. */
  body(payload: Buffer): void | Promise<void>;
  /** The client wants no deliveries for now, or wants them again. The connection answers. */
  flow?(isActive: boolean): void;
  /** The user has other rights now. @returns what forbids that it goes on; null: nothing */
  refusal?(): AmqpError | null;
  /**
   * The channel or its connection has ended: consumers go, unacknowledged messages go back. Called
   * once, and nothing else after it; a method that was asked for may still be running. Never rejects.
   */
  close(): Promise<void>;
  /** For lists of channels. */
  describe(): ChannelInfo;
}

/** How a channel is made: `createChannel` of channel.ts. */
export type CreateChannel = (number: number, host: ChannelHost) => ChannelEnd;

/** A channel, as people see it. */
export type ChannelInfo = AmqpChannel;
