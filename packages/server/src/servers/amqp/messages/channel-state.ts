import type { HeldMessage } from 'wherry';
import type { ChannelConsumer } from './channel-consumer.ts';
import type { Confirms } from './confirms.ts';
import type { ContentAssembly } from './content-assembly.ts';
import type { ChannelHost } from '../contracts.ts';
import type { DefinitionChannel } from '../definitions/definition-channel.ts';
import type { ReplyConsumer } from './direct-replies.ts';
import { Outstanding } from './outstanding.ts';
import type { PendingTransaction } from './pending-transaction.ts';
import type { Unrouted } from './unrouted.ts';

/** What the broker keeps in memory of the messages that one connection has in hand, about. */
export const IN_HAND_BYTES_MAX: number = 256 * 1024 * 1024;

/** A message that a client has in hand. */
export interface OpenDelivery {
  readonly tag: number;
  /** Null: it took too long and went back; the client may still say that it is done. */
  held: HeldMessage | null;
  /** Null: it was asked for with basic.get. */
  readonly consumer: ChannelConsumer | null;
  /** Milliseconds since 1970: the message is given back then; `Infinity`: never. */
  readonly timeoutAt: number;
}

/** What there is of a channel while it is open: the handlers read it and change it. */
export class ChannelState implements DefinitionChannel {
  readonly number: number;
  readonly host: ChannelHost;
  readonly consumers: Map<string, ChannelConsumer> = new Map();
  /** By their tags, in their order. */
  readonly unacknowledged: Map<number, OpenDelivery> = new Map();
  /** What was published, acknowledged or given back, and is not stored yet. */
  readonly outstanding: Outstanding = new Outstanding(() => {
    this.host.vhost.feeds.acknowledgements.flush();
  });
  /** The queue that was declared last: what an empty queue name means. '': none was. */
  lastQueue = '';
  /** Of consumers that begin from now on; 0: any number. */
  prefetch = 0;
  /** For all consumers together; 0: any number. */
  globalPrefetch = 0;
  /** Of those that count towards `globalPrefetch`, how many the client has in hand. */
  consumed = 0;
  /** Set between basic.publish and the last of its body frames. */
  assembly: ContentAssembly | null = null;
  confirms: Confirms | null = null;
  /** What waits for its queue to be known; null: nothing has yet. */
  unrouted: Unrouted | null = null;
  transaction: PendingTransaction | null = null;
  replies: ReplyConsumer | null = null;
  /** False: the client wants no deliveries for now. */
  isFlowing = true;
  isClosed = false;
  #lastTag = 0;
  #isWakeDue = false;

  constructor(number: number, host: ChannelHost) {
    this.number = number;
    this.host = host;
  }

  /** An acknowledgement has ended: the store knows of it, or it was too late. */
  readonly acknowledged = (error: Error | null): void => {
    this.host.vhost.feeds.settled(error);
    this.outstanding.end();
  };

  nextTag(): number {
    return ++this.#lastTag;
  }

  /** Messages whose leases are the channel's, those that a transaction is to settle too. */
  get inHand(): number {
    return this.unacknowledged.size + (this.transaction?.settlements.length ?? 0);
  }

  /** All consumers together have as many messages in hand as they may. */
  get isAtGlobalLimit(): boolean {
    return this.globalPrefetch > 0 && this.consumed >= this.globalPrefetch;
  }

  get isRationed(): boolean {
    return this.globalPrefetch > 0 && this.consumers.size > 1;
  }

  /** How many more messages the client may have in hand, of whatever consumer that acknowledges. */
  get room(): number {
    const { broker, bytesInHand } = this.host;
    if (bytesInHand > IN_HAND_BYTES_MAX) return 0;
    const { unacknowledged: most } = broker.config.amqp;
    const room = most - this.inHand;
    return this.globalPrefetch === 0 ? room : Math.min(room, this.globalPrefetch - this.consumed);
  }

  /** Of several that wait for the room they share, the one that got a message is woken last. */
  served(consumer: ChannelConsumer): void {
    if (this.isRationed && this.consumers.delete(consumer.tag))
      this.consumers.set(consumer.tag, consumer);
  }

  /** As `wakeConsumers`, once for all that the client says in one go. */
  wakeSoon(): void {
    if (this.#isWakeDue) return;
    this.#isWakeDue = true;
    queueMicrotask(() => {
      this.#isWakeDue = false;
      this.wakeConsumers();
    });
  }

  /** Asks for messages where some may be had now. */
  wakeConsumers(): void {
    for (const consumer of this.consumers.values()) consumer.wake();
  }
}
