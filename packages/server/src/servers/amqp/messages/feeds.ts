import { type BrokerPort, type HeldMessage, LeaseLostError, type Queue } from 'wherry';
import type { Logger } from '../../../telemetry/logger.ts';
import { Acknowledgements } from './acknowledgements.ts';
import type { OpenDelivery } from './channel-state.ts';
import { LeaseEnds } from './lease-ends.ts';
import { QueueFeed } from './queue-feed.ts';
import { queueTraits } from '../definitions/queue-traits.ts';

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
  /** Milliseconds: where others have the store open too, they soon get what a dead broker held. */
  readonly sharedLease: number;
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
  readonly acknowledgements: Acknowledgements;
  readonly leases: LeaseEnds;
  #extending: NodeJS.Timeout | null = null;
  #checking: NodeJS.Timeout | null = null;

  constructor(options: FeedsOptions) {
    this.#options = options;
    this.leases = new LeaseEnds(options.port);
    this.acknowledgements = new Acknowledgements(this.leases);
    this.holder = `amqp:${options.instance}`;
    this.leaseDuration = options.port.supports.shared ? options.sharedLease : OWN_LEASE_MS;
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
        acknowledgements: this.acknowledgements,
        leases: this.leases,
        failed: this.failed,
        undeliverable: this.undeliverable,
        mayTakeAhead: () => {
          const present = port.findQueue(queue);
          return present !== undefined && !port.supports.shared && isPlain(present);
        },
        idle: (idle) => {
          if (this.#feeds.get(queue) === idle) this.#feeds.delete(queue);
        },
      });
      this.#feeds.set(queue, feed);
    }
    return feed;
  }

  /** Whether a consumer here may have a message of the queue now. */
  isWaiting(queue: string): boolean {
    return this.#feeds.get(queue)?.isWaiting ?? false;
  }

  /**
   * Gives back what was taken of the queue and nobody has got.
   * @returns resolves when it is there again; undefined: there is none
   */
  surrender(queue: string): Promise<void> | undefined {
    return this.#feeds.get(queue)?.surrender();
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

  /** Told how a settlement ended that nobody waits for: what is not settled is tried again. */
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
    this.acknowledgements.close();
    for (const feed of this.#feeds.values()) feed.close();
    this.#feeds.clear();
    this.leases.close();
  }

  /** Told of why no messages could be had. */
  readonly failed = (queue: string, error: unknown): void => {
    const { countError, logger, vhost } = this.#options;
    countError(error);
    logger.error({ vhost, queue, err: error }, 'Messages could not be delivered');
  };

  /** To the next client it would be of no more use: it becomes a dead letter. */
  readonly undeliverable = (held: HeldMessage, error: unknown): void => {
    const { countError, logger, vhost } = this.#options;
    countError(error);
    const fields = { vhost, queue: held.queue.name, message: held.id, err: error };
    logger.error(fields, 'A message cannot be delivered, and becomes a dead letter');
    this.leases.setAside(held, error, this.settled);
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

const plain = new WeakMap<Queue, boolean>();

/**
 * Whether nothing depends on which of a queue's messages wait and which are in hand: not which is
 * next, which has to go, or how often one was handed out.
 */
function isPlain(queue: Queue): boolean {
  let isSo = plain.get(queue);
  if (isSo === undefined) {
    const { isDeclared, deliveryLimit } = queueTraits(queue);
    const { maxPriority, maxSize, maxBytes, messageTtl } = queue.settings;
    const hasBounds = maxSize !== null || maxBytes !== null || messageTtl !== null;
    isSo = isDeclared && deliveryLimit === null && maxPriority === 0 && !hasBounds;
    plain.set(queue, isSo);
  }
  return isSo;
}
