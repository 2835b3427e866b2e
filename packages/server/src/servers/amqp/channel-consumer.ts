import type { HeldMessage } from 'wherry';
import type { ChannelState } from './channel-state.ts';
import { contentOf } from './delivery.ts';
import { type FeedConsumer, type QueueFeed, TAKE_MAX } from './queue-feed.ts';
import type { ConsumerSeat } from './queue-registry.ts';

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
  readonly feed: QueueFeed;
  /** Messages that the client has in hand. */
  inHand = 0;
  readonly #acknowledgeTimeout: number;
  #seat: ConsumerSeat | null = null;
  #unwatch: () => void = () => {};

  constructor(channel: ChannelState, feed: QueueFeed, options: ConsumerOptions) {
    this.channel = channel;
    this.feed = feed;
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
    if (this.noAck) return TAKE_MAX;
    const { room } = channel;
    return this.prefetch === 0 ? room : Math.min(room, this.prefetch - this.inHand);
  }

  get shares(): ChannelState | null {
    return this.noAck ? null : this.channel;
  }

  deliver(held: HeldMessage): void {
    const { channel } = this;
    const { stored } = held;
    // Before anything is written: what cannot be read must not be half a frame.
    const content = contentOf(stored, this.feed.isQuorum);
    const tag = channel.nextTag();
    const { host, number } = channel;
    const isRedelivered = stored.deliveryCount > 1;
    const { exchange, routingKey } = content;
    host.writer.deliver(number, this.tag, tag, isRedelivered, exchange, routingKey);
    host.writer.content(number, content.properties, content.payload, host.frameMax);
    host.flush();
    if (this.noAck) {
      host.vhost.port.settle(held, host.vhost.feeds.settled);
      return;
    }
    const timeout = this.#acknowledgeTimeout;
    const timeoutAt = timeout === 0 ? Infinity : Date.now() + timeout;
    channel.unacknowledged.set(tag, { tag, held, consumer: this, timeoutAt });
    channel.consumed++;
    this.inHand++;
  }

  /** One of its messages is not in the client's hand any more. */
  ended(): void {
    this.inHand--;
    this.channel.consumed--;
    // With a limit for all of them, any of the channel's consumers may be the one that waited.
    if (this.channel.globalPrefetch === 0) this.feed.wake();
    else this.channel.wakeConsumers();
  }

  /** @param seat its place among the queue's consumers @param unwatch ends `cancelled` */
  sit(seat: ConsumerSeat, unwatch: () => void): void {
    this.#seat = seat;
    this.#unwatch = unwatch;
  }

  /** Messages are delivered from now on. */
  begin(): void {
    this.feed.add(this);
  }

  /** Nothing more is delivered. Resolves when the queue has gone, if that was the last it had. */
  async end(): Promise<void> {
    this.feed.remove(this);
    this.#unwatch();
    await this.#seat?.remove();
  }

  /** The queue was deleted. */
  cancelled(): void {
    const { channel, tag } = this;
    this.feed.remove(this);
    if (channel.consumers.get(tag) !== this) return;
    channel.consumers.delete(tag);
    const { host, number } = channel;
    if (channel.isClosed || !host.clientCapabilities.has('consumer_cancel_notify')) return;
    host.writer.method(number, 'basic.cancel', { consumerTag: tag, nowait: true });
    host.flush();
  }
}
