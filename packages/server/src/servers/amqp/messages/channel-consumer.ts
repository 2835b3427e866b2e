import { type HeldMessage, placesIn, type StoredMessage } from 'wherry';
import type { ChannelState } from './channel-state.ts';
import { contentOf, isAsPublished } from './delivery.ts';
import type { FeedConsumer } from './feed-consumers.ts';
import { type QueueFeed, TAKE_MAX } from './queue-feed.ts';
import type { ConsumerSeat } from '../definitions/queue-registry.ts';
import { keep } from './unacknowledged.ts';

export interface ConsumerOptions {
  readonly tag: string;
  readonly noAck: boolean;
  /** Higher ones get messages first. */
  readonly priority: number;
  /** Messages that it may have in hand; 0: any number. */
  readonly prefetch: number;
  /** Milliseconds until a message is given back; 0: never. */
  readonly acknowledgeTimeout: number;
}

/** A consumer that a client has begun with basic.consume. */
export class ChannelConsumer implements FeedConsumer {
  readonly tag: string;
  readonly noAck: boolean;
  readonly priority: number;
  readonly prefetch: number;
  readonly channel: ChannelState;
  readonly queue: string;
  /** Messages that the client has in hand. */
  inHand = 0;
  readonly #acknowledgeTimeout: number;
  /** Set while messages are delivered: a queue's feed goes with its last consumer. */
  #feed: QueueFeed | null = null;
  #seat: ConsumerSeat | null = null;
  #unwatch: () => void = () => {};

  constructor(channel: ChannelState, queue: string, options: ConsumerOptions) {
    this.channel = channel;
    this.queue = queue;
    this.tag = options.tag;
    this.noAck = options.noAck;
    this.priority = options.priority;
    this.prefetch = options.prefetch;
    this.#acknowledgeTimeout = options.acknowledgeTimeout;
  }

  get credit(): number {
    const { channel } = this;
    if (channel.isClosed || !channel.isFlowing || !channel.host.mayDeliver) return 0;
    if (this.#seat?.isActive !== true) return 0;
    // It does not count towards the limit of all; yet as RabbitMQ has it, it is held up by it.
    if (this.noAck) return channel.isAtGlobalLimit ? 0 : TAKE_MAX;
    const { room } = channel;
    return this.prefetch === 0 ? room : Math.min(room, this.prefetch - this.inHand);
  }

  get shares(): ChannelState | null {
    return this.noAck ? null : this.channel;
  }

  deliver(held: HeldMessage): void {
    const { channel } = this;
    const { stored } = held;
    const tag = this.#write(stored);
    const { host } = channel;
    host.flush();
    host.broker.traffic.delivered++;
    if (this.noAck) {
      const { feeds } = host.vhost;
      feeds.acknowledgements.add(held, feeds.settled);
      return;
    }
    const timeout = this.#acknowledgeTimeout;
    const timeoutAt = timeout === 0 ? Infinity : Date.now() + timeout;
    keep(channel, { tag, held, consumer: this, timeoutAt });
    channel.consumed++;
    this.inHand++;
    channel.served(this);
  }

  /** @returns the delivery tag @throws DeserializationError, and nothing was written */
  #write(stored: StoredMessage): number {
    const { channel } = this;
    const { host, number } = channel;
    const { frameMax, vhost, writer } = host;
    const isRedelivered = vhost.port.isRedelivered(stored);
    const { isQuorum } = this.#feed!;
    if (isAsPublished(stored) && !isQuorum) {
      const body = stored.body as Buffer;
      const places = placesIn(body);
      const tag = channel.nextTag();
      writer.deliverStored(number, this.tag, tag, isRedelivered, body, places, frameMax);
      return tag;
    }
    const { exchange, routingKey, properties, payload } = contentOf(stored, isQuorum);
    const tag = channel.nextTag();
    writer.deliver(number, this.tag, tag, isRedelivered, exchange, routingKey);
    writer.content(number, properties, payload, frameMax);
    return tag;
  }

  /** One of its messages is not in the client's hand any more. */
  ended(): void {
    this.inHand--;
    this.channel.consumed--;
    // With a limit for all of them, any of the channel's consumers may be the one that waited.
    if (this.channel.globalPrefetch === 0 && this.#feed !== null) this.wake();
    else this.channel.wakeSoon();
  }

  /** @param seat its place among the queue's consumers @param unwatch ends `cancelled` */
  sit(seat: ConsumerSeat, unwatch: () => void): void {
    this.#seat = seat;
    this.#unwatch = unwatch;
  }

  /** Messages are delivered from now on. */
  begin(): void {
    this.#feed = this.channel.host.vhost.feeds.of(this.queue);
    this.#feed.add(this);
  }

  /** It may have messages now that it could not have before. */
  wake(): void {
    this.#feed?.wake();
  }

  /** Resolves when it has what the channel has published for it. */
  async caughtUp(): Promise<void> {
    await this.channel.outstanding.settled();
    await this.#feed?.caughtUp();
  }

  /** Nothing more is delivered. Resolves when the queue has gone, if that was the last it had. */
  async end(): Promise<void> {
    this.#leave();
    this.#unwatch();
    await this.#seat?.remove();
  }

  /** The queue was deleted. */
  cancelled(): void {
    const { channel, tag } = this;
    this.#leave();
    if (channel.consumers.get(tag) !== this) return;
    channel.consumers.delete(tag);
    const { host, number } = channel;
    if (channel.isClosed || !host.clientCapabilities.has('consumer_cancel_notify')) return;
    host.writer.method(number, 'basic.cancel', { consumerTag: tag, nowait: true });
    host.flush();
  }

  #leave(): void {
    this.channel.host.consumers.delete(this);
    this.#feed?.remove(this);
    this.#feed = null;
  }
}
