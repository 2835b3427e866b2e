import type { Driver, NewMessage, PublishItem, PublishOutcome, Transaction } from './driver.ts';
import { type Duration, durationToMs } from './duration.ts';
import { MessageQueueError, ValidationError } from './errors.ts';
import { type Limits, checkFields, show } from './limits.ts';
import type { Message } from './message.ts';
import { prepareMessage } from './prepare.ts';
import { type BlockOptions, type Published, type Publisher, isPublished } from './publisher.ts';
import { type PayloadSchema, type QueueLike, queueNameOf } from './queue.ts';
import { checkPayload } from './schema.ts';
import { joinTransaction, requireSupport } from './support.ts';
import type { CallerTransaction } from './transaction.ts';
import type { Topology } from './topology.ts';

export interface SendOptions {
  /** How long to wait for room in a queue whose overflow is 'block'. Default 30 s. */
  readonly blockTimeout?: Duration;
  /** Ends the waiting for room. */
  readonly signal?: AbortSignal;
  /**
   * The caller's own transaction in the store's database: the message is there when it commits,
   * and never was if it rolls back. A full queue refuses at once, whatever its overflow.
   */
  readonly tx?: CallerTransaction;
}

/** As for one message; `atomic`: all of the batch or none. */
export interface BatchOptions extends SendOptions {
  readonly atomic?: boolean;
}

/** The answer to one message of a batch. */
export type SendResult =
  | {
      readonly ok: true;
      readonly id: string;
      /** Not stored: `id` is that of the one that was sent before, '' where it is not known. */
      readonly duplicate: boolean;
      /** It took the place of another one, whose `id` it has (deduplication mode 'keep-last'). */
      readonly replaced?: true;
    }
  | { readonly ok: false; readonly error: MessageQueueError };

/** The answer to a publish through an exchange. */
export interface PublishResult {
  /** The first copy's id, shared by all as `publishId`; null when no queue was reached. */
  readonly id: string | null;
  /** One for each queue. */
  readonly ids: readonly string[];
  /** The queues reached. */
  readonly queues: readonly string[];
  /** Every queue had the message's deduplicationId already. */
  readonly duplicate: boolean;
  /** No queue stored a new message: it took the place of another (deduplication mode 'keep-last'). */
  readonly replaced?: true;
}

export interface PublishRequest {
  readonly exchange: string;
  readonly routingKey: string;
  readonly message: Message;
}

/** Where a message goes: to a queue, or wherever an exchange routes it. */
export type SendTarget =
  | { readonly type: 'queue'; readonly queue: string }
  | { readonly type: 'exchange'; readonly exchange: string; readonly routingKey: string };

export interface SenderParts {
  readonly driver: Driver;
  readonly topology: Topology;
  readonly publisher: Publisher;
  readonly limits: Limits;
  readonly schemaOf: (queueName: string) => PayloadSchema | undefined;
}

/** Options, checked. */
interface How {
  readonly block: BlockOptions;
  readonly transaction: Transaction | undefined;
}

const DEFAULT_BLOCK: BlockOptions = { timeout: 30_000 };

/** What a publish that reaches no queue comes to. */
const UNROUTED: Published = { status: 'stored', id: '', ids: [] };

/** The way in: checks messages, finds the queues they go to, and has them stored. */
export class MessageSender {
  readonly #parts: SenderParts;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** @returns the message's id, once it is durable */
  sendMessage<Input>(
    queue: QueueLike<unknown, Input>,
    message: Message<Input>,
    options?: SendOptions,
  ): Promise<string> {
    if (options?.tx !== undefined) return this.#sendWithin(queue, message, options);
    return new Promise((resolve, reject) => {
      // What throws in here rejects.
      const name = queueNameOf(queue);
      const { topology, publisher } = this.#parts;
      const targets = topology.targets(name);
      const prepared = this.#prepare(message);
      const block = blockOf(options);
      const send = (): void => publisher.add(targets, prepared, block, resolve, reject);
      if (this.#parts.schemaOf(name) === undefined) send();
      else this.#check(name, message).then(send, reject);
    });
  }

  /**
   * @param options.atomic all messages or none; a refusal is answered for each
   * @returns one result for each message, in order
   */
  async sendBatch<Input>(
    queue: QueueLike<unknown, Input>,
    messages: readonly Message<Input>[],
    options: BatchOptions = {},
  ): Promise<SendResult[]> {
    this.#checkBatch(messages);
    const how = this.#howTo(options);
    if (options.atomic === true) return this.#sendAtomic(queue, messages, how.transaction);
    const items = messages.map((message) => this.#itemFor(queue, message));
    const sends = this.#publishEach(items, how);
    return collect(sends, options.signal, sendResultOf);
  }

  /**
   * Routes a message through an exchange; '' is the default one, which routes to the queue named
   * by the key. One message reaches every matching queue, or, if one refuses it, none.
   */
  async publish(request: PublishRequest, options: SendOptions = {}): Promise<PublishResult> {
    const how = this.#howTo(options);
    const item = this.#itemOf(request);
    const [sent] = this.#publishEach([item], how);
    const published = await sent!;
    return resultOf(await item, published);
  }

  /** Several publishes; one that is refused does not hold up the others. */
  async publishBatch(
    requests: readonly PublishRequest[],
    options: SendOptions = {},
  ): Promise<({ ok: true; result: PublishResult } | { ok: false; error: MessageQueueError })[]> {
    this.#checkBatch(requests);
    const how = this.#howTo(options);
    const items = requests.map((request) => this.#itemOf(request));
    const results = this.#publishEach(items, how).map(async (sent, i) => {
      const published = await sent;
      return resultOf(await items[i]!, published);
    });
    return collect(results, options.signal, (result) => ({ ok: true, result }));
  }

  /**
   * Stores a message in each queue that has stored none with so high a fence; a full queue refuses
   * at once.
   * @throws QueueNotFoundError, QueueFullError, StorageError …
   */
  async publishFenced(
    target: SendTarget,
    message: Message,
    fence: NonNullable<NewMessage['fence']>,
  ): Promise<void> {
    const { targets, message: prepared } = await this.#itemAt(target, message);
    if (targets.length === 0) return;
    await this.#parts.publisher.publish({ targets, message: { ...prepared, fence } }, null);
  }

  /** @throws ValidationError, QueueNotFoundError … when it could not be sent there now */
  async checkMessage(target: SendTarget, message: Message): Promise<void> {
    await this.#itemAt(target, message);
  }

  async #sendWithin(queue: QueueLike, message: Message, options: SendOptions): Promise<string> {
    const how = this.#howTo(options);
    const [sent] = this.#publishEach([this.#itemFor(queue, message)], how);
    return (await sent!).id;
  }

  async #sendAtomic(
    queue: QueueLike,
    messages: readonly Message[],
    transaction: Transaction | undefined,
  ): Promise<SendResult[]> {
    const { driver, publisher } = this.#parts;
    requireSupport(driver, 'atomicBatch', 'atomic batches');
    const items = await Promise.all(messages.map((message) => this.#itemFor(queue, message)));
    const outcomes = await publisher.publishAtomic(items, transaction);
    return outcomes.map((outcome) => this.#resultOf(outcome));
  }

  #resultOf(outcome: PublishOutcome): SendResult {
    if (isPublished(outcome)) return sendResultOf(outcome);
    return { ok: false, error: this.#parts.publisher.refusal(outcome) };
  }

  /** Each answers by itself. In a transaction all that could be made ready goes in one call. */
  #publishEach(
    items: readonly Promise<PublishItem>[],
    { block, transaction }: How,
  ): Promise<Published>[] {
    const { publisher } = this.#parts;
    if (transaction === undefined) {
      return items.map(async (item) => {
        const ready = await item;
        return ready.targets.length === 0 ? UNROUTED : publisher.publish(ready, block);
      });
    }
    const outcomes = Promise.allSettled(items).then(async (settled) => {
      const ready = settled
        .flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
        .filter(({ targets }) => targets.length > 0);
      const answers = await publisher.publishWithin(transaction, ready);
      return new Map(ready.map((item, i) => [item, answers[i]!]));
    });
    return items.map(async (item) => {
      const outcome = (await outcomes).get(await item) ?? UNROUTED;
      if (isPublished(outcome)) return outcome;
      throw publisher.refusal(outcome);
    });
  }

  #itemAt(target: SendTarget, message: Message): Promise<PublishItem> {
    return target.type === 'queue'
      ? this.#itemFor(target.queue, message)
      : this.#itemOf({ ...target, message });
  }

  async #itemFor(queue: QueueLike, message: Message): Promise<PublishItem> {
    const name = queueNameOf(queue);
    const item = { targets: this.#parts.topology.targets(name), message: this.#prepare(message) };
    if (this.#parts.schemaOf(name) !== undefined) await this.#check(name, message);
    return item;
  }

  /** With no targets when no queue is reached. */
  async #itemOf({ exchange, routingKey, message }: PublishRequest): Promise<PublishItem> {
    const { driver, topology } = this.#parts;
    const prepared = this.#prepare(message);
    const headers = prepared.properties?.headers ?? null;
    const { queues } = topology.router.route(exchange, routingKey, headers);
    if (queues.length > 1) requireSupport(driver, 'atomicFanOut', 'a publish to several queues');
    for (const queue of queues) await this.#check(queue, message);
    return { targets: queues.map((queue) => topology.ref(queue)), message: prepared };
  }

  #prepare(message: Message): NewMessage {
    return prepareMessage(message, this.#parts.limits);
  }

  /** What is stored is what was sent; what the schema makes of it is made again at delivery. */
  async #check(queueName: string, message: Message): Promise<void> {
    const schema = this.#parts.schemaOf(queueName);
    if (schema !== undefined) await checkPayload(schema, message.payload, queueName);
  }

  #howTo(options: BatchOptions): How {
    const block = blockOf(options);
    const { tx } = options;
    return {
      block,
      transaction: tx === undefined ? undefined : joinTransaction(this.#parts.driver, tx),
    };
  }

  #checkBatch(batch: readonly unknown[]): void {
    if (!Array.isArray(batch)) {
      throw new ValidationError(`A batch is an array; got ${show(batch)}.`);
    }
    const { length } = batch;
    const most = this.#parts.limits.batchSize;
    if (length > most) {
      throw new ValidationError(
        `The batch has ${length} messages; at most ${most} are allowed. ` +
          'Send several batches, or raise limits.batchSize at open.',
      );
    }
  }
}

function blockOf(options: BatchOptions | undefined): BlockOptions {
  if (options === undefined) return DEFAULT_BLOCK;
  checkFields(options, ['blockTimeout', 'signal', 'atomic', 'tx'], 'The send options');
  const { blockTimeout, signal, tx } = options;
  if (tx !== undefined && (blockTimeout !== undefined || signal !== undefined)) {
    throw new ValidationError(
      'blockTimeout and signal are of no use with tx: inside a transaction no send waits for room.',
    );
  }
  const timeout =
    blockTimeout === undefined ? DEFAULT_BLOCK.timeout : durationToMs(blockTimeout, 'blockTimeout');
  return { timeout, signal };
}

function resultOf({ targets }: PublishItem, published: Published): PublishResult {
  return {
    id: published === UNROUTED ? null : published.id,
    ids: published.ids ?? [published.id],
    queues: targets.map(({ name }) => name),
    duplicate: published.status === 'duplicate',
    ...(published.status === 'replaced' && { replaced: true }),
  };
}

function sendResultOf({ id, status }: Published): SendResult & { ok: true } {
  const duplicate = status === 'duplicate';
  return status === 'replaced'
    ? { ok: true, id, duplicate, replaced: true }
    : { ok: true, id, duplicate };
}

async function collect<Value, Result>(
  sends: readonly Promise<Value>[],
  signal: AbortSignal | undefined,
  succeeded: (value: Value) => Result,
): Promise<(Result | { ok: false; error: MessageQueueError })[]> {
  const settled = await Promise.allSettled(sends);
  return settled.map((result) => {
    if (result.status === 'fulfilled') return succeeded(result.value);
    const { reason } = result;
    if (reason instanceof MessageQueueError) return { ok: false, error: reason };
    // A bug must not hide in a result; only the caller's own signal may end a send in other ways.
    if (signal?.aborted !== true || reason !== signal.reason) throw reason;
    const message = 'The wait for room was given up.';
    return { ok: false, error: new MessageQueueError('ABORTED', message, { cause: reason }) };
  });
}
