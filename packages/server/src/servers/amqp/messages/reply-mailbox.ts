import {
  type AmqpContent,
  type BrokerPort,
  type HeldMessage,
  type MessageQueueSystem,
  allocateContent,
  newAmqpMessage,
  readContent,
} from 'wherry';
import type { Feeds } from './feeds.ts';
import type { FeedConsumer } from './feed-consumers.ts';
import { TAKE_MAX } from './queue-feed.ts';
import { queueAttributes } from '../definitions/queue-traits.ts';

/** A broker that is gone leaves its mailbox behind for so long. */
const IDLE_MS = 5 * 60_000;
/** Nobody waits longer for a reply. */
const REPLY_TTL_MS = 5 * 60_000;
/** Longer than a reply is tried. */
const KNOWN_MS = 60_000;

export interface MailboxParts {
  readonly mq: MessageQueueSystem;
  readonly port: BrokerPort;
  readonly feeds: Feeds;
  /** Told each reply that has come, and for whom it is. */
  readonly received: (name: string, content: AmqpContent) => void;
}

/**
 * Where several brokers share a store: the queue in which a broker gets replies to clients of its
 * own from whoever is connected to another.
 */
export class ReplyMailbox implements FeedConsumer {
  readonly priority = 0;
  readonly credit: number = TAKE_MAX;
  readonly inHand = 0;
  readonly shares = null;
  readonly #name: string;
  readonly #parts: MailboxParts;
  #opened: Promise<void> | null = null;

  /** @param name of the queue */
  constructor(name: string, parts: MailboxParts) {
    this.#name = name;
    this.#parts = parts;
  }

  /** Resolves when replies can come. @throws StorageError */
  open(): Promise<void> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      // The next who asks tries again.
      this.#opened = null;
      throw error;
    });
    return this.#opened;
  }

  async close(): Promise<void> {
    if (this.#opened === null) return;
    const { feeds, mq, port } = this.#parts;
    await this.#opened.catch(() => undefined);
    feeds.of(this.#name).remove(this);
    if (port.findQueue(this.#name) === undefined) return;
    // Else it goes by itself, for want of use.
    await mq.deleteQueue(this.#name, { force: true }).catch(feeds.settled);
  }

  deliver(held: HeldMessage): void {
    const { feeds, received } = this.#parts;
    const content = readContent(held.stored.body as Uint8Array);
    received(content.routingKey, content);
    feeds.leases.settle(held, feeds.settled);
  }

  async #open(): Promise<void> {
    const { feeds, mq } = this.#parts;
    const traits = { durable: false, exclusive: true, autoDelete: false };
    await mq.createQueue({
      name: this.#name,
      expiresAfterIdle: IDLE_MS,
      messageTtl: REPLY_TTL_MS,
      deduplicationWindow: KNOWN_MS,
      discardDeadLetters: true,
      // No connection has this name: no client may use it.
      attributes: queueAttributes(traits, new Map(), this.#name),
    });
    feeds.of(this.#name).add(this);
  }
}

/**
 * Sends a reply to another broker.
 * @param replyId the same each time that it is sent: it arrives once
 * @returns why it is not stored; null: it is
 */
export function sendReply(
  { port }: Pick<MailboxParts, 'port'>,
  mailbox: string,
  replyId: string,
  { exchange, routingKey, properties, payload }: AmqpContent,
): Promise<Error | null> {
  const { body, payloadAt } = allocateContent(exchange, routingKey, properties, payload.length);
  body.set(payload, payloadAt);
  const message = newAmqpMessage(body, payloadAt, { deduplicationId: replyId });
  return new Promise((resolve) => port.publish([mailbox], message, resolve));
}
