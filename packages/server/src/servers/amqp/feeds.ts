import { type BrokerPort, type HeldMessage, LeaseLostError } from 'wherry';
import type { Logger } from '../../telemetry/logger.ts';
import type { OpenDelivery } from './channel-state.ts';
import { QueueFeed } from './queue-feed.ts';
import { queueTraits } from './queue-traits.ts';

/** Of messages in a store that others have open too: they see soon that this broker is gone. */
const SHARED_LEASE_MS = 60_000;
/** Where a broker that is gone lets go of all it held, however long the lease. */
const OWN_LEASE_MS = 24 * 3_600_000;
/** Extended this often within a lease: two tries may fail before it ends. */
const EXTENSIONS_PER_LEASE = 3;
/** How exactly an acknowledgement timeout is kept. */
const TIMEOUT_CHECK_MS = 1_000;
/** Leases extended in one call. */
const EXTEND_MAX = 10_000;

/** A channel, as far as its messages have to be seen to while its client has them in hand. */
export interface Holder {
  inHand(): Iterable<OpenDelivery>;
  /** The client had it for too long. */
  giveBack(delivery: OpenDelivery): void;
}

export interface FeedsOptions {
  readonly port: BrokerPort;
  readonly vhost: string;
  /** Tells this broker from others on its store. */
  readonly instance: string;
  readonly logger: Logger;
  /** A store's error is counted. */
  readonly countError: (error: unknown) => void;
}

/** Hands out the messages of a virtual host's queues, and keeps them for those who have them. */
export class Feeds {
  readonly #options: FeedsOptions;
  readonly #feeds = new Map<string, QueueFeed>();
  readonly #holders = new Set<Holder>();
  /** As whom messages are taken. */
  readonly holder: string;
  /** Milliseconds. */
  readonly leaseDuration: number;
  #extending: NodeJS.Timeout | null = null;
  #checking: NodeJS.Timeout | null = null;

  constructor(options: FeedsOptions) {
    this.#options = options;
    this.holder = `amqp:${options.instance}`;
    this.leaseDuration = options.port.supports.shared ? SHARED_LEASE_MS : OWN_LEASE_MS;
  }

  /** The queue's feed, for a consumer to be added to. */
  of(queue: string): QueueFeed {
    let feed = this.#feeds.get(queue);
    if (feed === undefined) {
      const { port } = this.#options;
      const found = port.findQueue(queue);
      feed = new QueueFeed(queue, found !== undefined && queueTraits(found).type === 'quorum', {
        port,
        holder: this.holder,
        leaseDuration: this.leaseDuration,
        settled: this.settled,
        failed: this.#failed,
        idle: (idle) => {
          if (this.#feeds.get(queue) === idle) this.#feeds.delete(queue);
        },
      });
      this.#feeds.set(queue, feed);
    }
    return feed;
  }

  /** Whether a consumer here would get a message of the queue at once. */
  isWaiting(queue: string): boolean {
    return this.#feeds.get(queue)?.isWaiting ?? false;
  }

  /** Sees to what the channel's client has in hand. @returns how to stop */
  keep(holder: Holder): () => void {
    this.#holders.add(holder);
    this.#extending ??= setInterval(
      () => void this.#extend(),
      this.leaseDuration / EXTENSIONS_PER_LEASE,
    ).unref();
    return () => this.#holders.delete(holder);
  }

  /** Some consumer here has an acknowledgement timeout. */
  watchTimeouts(): void {
    this.#checking ??= setInterval(() => this.#checkTimeouts(), TIMEOUT_CHECK_MS).unref();
  }

  /** Told how a settlement ended that nobody waits for: what is not settled comes again. */
  readonly settled = (error: Error | null): void => {
    // Its queue was deleted, or the message given to another meanwhile.
    if (error === null || error instanceof LeaseLostError) return;
    const { countError, logger, vhost } = this.#options;
    countError(error);
    logger.error({ vhost, err: error }, 'A message could not be settled');
  };

  close(): void {
    if (this.#extending !== null) clearInterval(this.#extending);
    if (this.#checking !== null) clearInterval(this.#checking);
    this.#holders.clear();
    for (const feed of this.#feeds.values()) feed.close();
    this.#feeds.clear();
  }

  readonly #failed = (queue: string, error: unknown): void => {
    const { countError, logger, vhost } = this.#options;
    countError(error);
    logger.error({ vhost, queue, err: error }, 'Messages could not be delivered');
  };

  async #extend(): Promise<void> {
    const held: HeldMessage[] = [];
    for (const holder of this.#holders) {
      for (const delivery of holder.inHand()) {
        if (delivery.held !== null) held.push(delivery.held);
      }
    }
    const { port } = this.#options;
    try {
      for (let i = 0; i < held.length; i += EXTEND_MAX) {
        // What was lost is another's by now; that it is, its settlement will say.
        await port.extend(held.slice(i, i + EXTEND_MAX), this.leaseDuration);
      }
    } catch (error) {
      this.settled(error as Error);
    }
  }

  #checkTimeouts(): void {
    const now = Date.now();
    for (const holder of this.#holders) {
      for (const delivery of holder.inHand()) {
        if (delivery.timeoutAt <= now && delivery.held !== null) holder.giveBack(delivery);
      }
    }
  }
}
