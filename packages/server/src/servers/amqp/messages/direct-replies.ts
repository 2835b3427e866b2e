import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { type AmqpContent, StorageError } from 'wherry';
import type { LateDefinitions } from '../../../vhosts/late-definitions.ts';
import type { ChannelState } from './channel-state.ts';
import type { ChannelHost } from '../contracts.ts';
import { MESSAGE_OVERHEAD } from '../connection/publish-budget.ts';
import { type MailboxParts, ReplyMailbox, sendReply } from './reply-mailbox.ts';

/** What is consumed from, and given as reply-to, to get replies without a queue. */
export const REPLY_QUEUE = 'amq.rabbitmq.reply-to';
const PREFIX = `${REPLY_QUEUE}.`;
const TOKEN_BYTES = 24;
/** Replies kept for a connection that does not read them; more are lost, as with one that has gone. */
const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;
/** A reply that the store does not take is tried so often, with twice the pause each time. */
const TRIES_MAX = 6;
const PAUSE_MS = 200;
/** Replies that may be tried again; more are lost at the first failure. */
const TRIED_BYTES_MAX = 64 * 1024 * 1024;

export interface RepliesParts extends Omit<MailboxParts, 'received'> {
  /** Tells this broker from others on its store. */
  readonly instance: string;
  readonly late: LateDefinitions;
}

/** Whether the name is that of a channel that waits for replies, or could be. */
export function isReplyName(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** Of the replies that wait for a connection. */
interface Backlog {
  bytes: number;
}

/** A channel that gets replies as deliveries, without a queue. */
export class ReplyConsumer {
  readonly tag: string;
  /** What others publish to. */
  readonly name: string;
  readonly #channel: ChannelState;
  readonly #waiting: Backlog;
  #backlog: AmqpContent[] = [];

  /** @param waiting shared by the channels of a connection */
  constructor(channel: ChannelState, tag: string, name: string, waiting: Backlog) {
    this.#channel = channel;
    this.#waiting = waiting;
    this.tag = tag;
    this.name = name;
  }

  deliver(content: AmqpContent): void {
    if (this.#backlog.length === 0 && this.#mayDeliver) return this.#write(content);
    const bytes = memoryOf(content);
    if (this.#waiting.bytes + bytes > BACKLOG_BYTES_MAX) return;
    this.#backlog.push(content);
    this.#waiting.bytes += bytes;
  }

  /** The client may be read to again. */
  resume(): void {
    let sent = 0;
    for (; sent < this.#backlog.length && this.#mayDeliver; sent++) {
      this.#write(this.#backlog[sent]!);
      this.#waiting.bytes -= memoryOf(this.#backlog[sent]!);
    }
    this.#backlog = this.#backlog.slice(sent);
  }

  /** What has not been sent is lost. */
  close(): void {
    for (const content of this.#backlog) this.#waiting.bytes -= memoryOf(content);
    this.#backlog = [];
  }

  get #mayDeliver(): boolean {
    return this.#channel.isFlowing && this.#channel.host.mayDeliver;
  }

  #write({ exchange, properties, payload }: AmqpContent): void {
    const { host, number } = this.#channel;
    host.writer.deliver(number, this.tag, this.#channel.nextTag(), false, exchange, this.name);
    host.writer.content(number, properties, payload, host.frameMax);
    host.broker.traffic.delivered++;
    host.flush();
  }
}

/** The channels of a virtual host that wait for replies. */
export class DirectReplies {
  readonly #parts: RepliesParts;
  readonly #consumers = new Map<string, ReplyConsumer>();
  readonly #backlogs = new WeakMap<ChannelHost, Backlog>();
  /** Null where no other broker can have the store. */
  readonly #mailbox: ReplyMailbox | null;
  /** Of replies that are tried again. */
  #triedBytes = 0;
  #isClosed = false;

  constructor(parts: RepliesParts) {
    this.#parts = parts;
    const received = (name: string, content: AmqpContent): void => {
      this.#consumers.get(name)?.deliver(content);
    };
    this.#mailbox = parts.port.supports.shared
      ? new ReplyMailbox(`${PREFIX}${parts.instance}`, { ...parts, received })
      : null;
  }

  /** Begins to wait; resolves when replies can come from everywhere. @throws StorageError */
  async open(channel: ChannelState, tag: string): Promise<ReplyConsumer> {
    await this.#mailbox?.open();
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const { host } = channel;
    const waiting = this.#backlogs.get(host) ?? { bytes: 0 };
    this.#backlogs.set(host, waiting);
    const name = `${PREFIX}${this.#parts.instance}.${token}`;
    const consumer = new ReplyConsumer(channel, tag, name, waiting);
    this.#consumers.set(consumer.name, consumer);
    return consumer;
  }

  remove(consumer: ReplyConsumer): void {
    consumer.close();
    this.#consumers.delete(consumer.name);
  }

  /** Whether somebody waits under this name; of another broker's, whether it is there. */
  has(name: string): boolean {
    if (this.#consumers.has(name)) return true;
    const mailbox = this.#mailboxOf(name);
    return mailbox !== null && this.#parts.port.findQueue(mailbox) !== undefined;
  }

  /** Whoever waits under this name gets the message; if nobody does, it is lost. */
  deliver(name: string, content: AmqpContent): void {
    const consumer = this.#consumers.get(name);
    if (consumer !== undefined) return consumer.deliver(content);
    const mailbox = this.#mailboxOf(name);
    if (mailbox !== null) void this.#send(mailbox, name, content);
  }

  async #send(mailbox: string, name: string, content: AmqpContent): Promise<void> {
    const { feeds, late, port } = this.#parts;
    const isThere = (): boolean => port.findQueue(mailbox) !== undefined;
    try {
      await late.know(isThere);
      if (isThere()) await this.#try(mailbox, { ...content, routingKey: name });
    } catch (error) {
      feeds.settled(error as Error);
    }
  }

  /** Until it is stored, or there is no hope: whoever waits for it asks again then. */
  async #try(mailbox: string, content: AmqpContent): Promise<void> {
    const { feeds } = this.#parts;
    const id = randomUUID();
    let error = await sendReply(this.#parts, mailbox, id, content);
    const bytes = memoryOf(content);
    if (!mayPass(error) || this.#triedBytes + bytes > TRIED_BYTES_MAX) return feeds.settled(error);
    this.#triedBytes += bytes;
    for (let tries = 1; tries < TRIES_MAX && mayPass(error) && !this.#isClosed; tries++) {
      await setTimeout(PAUSE_MS * 2 ** (tries - 1), undefined, { ref: false });
      error = await sendReply(this.#parts, mailbox, id, content);
    }
    this.#triedBytes -= bytes;
    feeds.settled(error);
  }

  /** Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#mailbox?.close();
  }

  /** @returns where another broker gets replies for this name; null: it is none of another's */
  #mailboxOf(name: string): string | null {
    if (this.#mailbox === null) return null;
    const [instance = '', token] = name.slice(PREFIX.length).split('.');
    const isOthers = token !== undefined && instance !== this.#parts.instance;
    return isOthers ? `${PREFIX}${instance}` : null;
  }
}

function mayPass(error: Error | null): boolean {
  return error instanceof StorageError && error.retriable;
}

function memoryOf({ payload, properties }: AmqpContent): number {
  return payload.length + properties.length + MESSAGE_OVERHEAD;
}
