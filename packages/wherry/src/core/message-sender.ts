import type { Driver, NewMessage, PublishItem, PublishOutcome } from './driver.ts';
import { type Duration, durationToMs } from './duration.ts';
import { MessageQueueError, UnsupportedError, ValidationError } from './errors.ts';
import { type Limits, checkFields, show } from './limits.ts';
import type { Message } from './message.ts';
import { prepareMessage } from './prepare.ts';
import { type BlockOptions, type Published, type Publisher, isPublished } from './publisher.ts';
import { type PayloadSchema, type QueueLike, queueNameOf } from './queue.ts';
import { checkPayload } from './schema.ts';
import type { Topology } from './topology.ts';

export interface SendOptions {
  /** How long to wait for room in a queue whose overflow is 'block'. Default 30 s. */
  readonly blockTimeout?: Duration;
  /** Ends the waiting for room. */
  readonly signal?: AbortSignal;
}

/** The answer to one message of a batch. */
export type SendResult =
  | { readonly ok: true; readonly id: string; readonly duplicate: boolean }
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
}

export interface PublishRequest {
  readonly exchange: string;
  readonly routingKey: string;
  readonly message: Message;
}

export interface SenderParts {
  readonly driver: Driver;
  readonly topology: Topology;
  readonly publisher: Publisher;
  readonly limits: Limits;
  readonly schemaOf: (queueName: string) => PayloadSchema | undefined;
}

const DEFAULT_BLOCK: BlockOptions = { timeout: 30_000 };

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
    options: SendOptions & { readonly atomic?: boolean } = {},
  ): Promise<SendResult[]> {
    this.#checkBatch(messages);
    if (options.atomic === true) return this.#sendAtomic(queue, messages);
    const sends = messages.map((message) => this.#send(queue, message, options));
    return collect(sends, options.signal, (published) => {
      return { ok: true, id: published.id, duplicate: published.status === 'duplicate' };
    });
  }

  /**
   * Routes a message through an exchange; '' is the default one, which routes to the queue named
   * by the key. One message reaches every matching queue, or, if one refuses it, none.
   */
  async publish(request: PublishRequest, options?: SendOptions): Promise<PublishResult> {
    const { exchange, routingKey, message } = request;
    const { topology, publisher } = this.#parts;
    const prepared = this.#prepare(message);
    const headers = prepared.properties?.headers ?? null;
    const { queues } = topology.router.route(exchange, routingKey, headers);
    if (queues.length === 0) return { id: null, ids: [], queues, duplicate: false };
    for (const queue of queues) await this.#check(queue, message);
    const targets = queues.map((queue) => topology.ref(queue));
    this.#checkFanOut(targets.length);
    const published = await publisher.publish({ targets, message: prepared }, blockOf(options));
    return {
      id: published.id,
      ids: published.ids ?? [published.id],
      queues,
      duplicate: published.status === 'duplicate',
    };
  }

  /** Several publishes; one that is refused does not hold up the others. */
  async publishBatch(
    requests: readonly PublishRequest[],
    options?: SendOptions,
  ): Promise<({ ok: true; result: PublishResult } | { ok: false; error: MessageQueueError })[]> {
    this.#checkBatch(requests);
    const sends = requests.map((request) => this.publish(request, options));
    return collect(sends, options?.signal, (result) => ({ ok: true, result }));
  }

  async #send(queue: QueueLike, message: Message, options: SendOptions): Promise<Published> {
    const name = queueNameOf(queue);
    const { topology, publisher } = this.#parts;
    const item = { targets: topology.targets(name), message: this.#prepare(message) };
    const block = blockOf(options);
    if (this.#parts.schemaOf(name) !== undefined) await this.#check(name, message);
    return publisher.publish(item, block);
  }

  async #sendAtomic(queue: QueueLike, messages: readonly Message[]): Promise<SendResult[]> {
    const name = queueNameOf(queue);
    const { driver, topology, publisher } = this.#parts;
    if (driver.supports.atomicBatch !== true) {
      throw new UnsupportedError('atomic batches', driver.name, driver.supports.atomicBatch);
    }
    const targets = topology.targets(name);
    const items: PublishItem[] = [];
    for (const message of messages) {
      await this.#check(name, message);
      items.push({ targets, message: this.#prepare(message) });
    }
    const outcomes = await publisher.publishAtomic(items);
    return outcomes.map((outcome) => this.#resultOf(outcome));
  }

  #resultOf(outcome: PublishOutcome): SendResult {
    if (isPublished(outcome)) {
      return { ok: true, id: outcome.id, duplicate: outcome.status === 'duplicate' };
    }
    return { ok: false, error: this.#parts.publisher.refusal(outcome) };
  }

  #prepare(message: Message): NewMessage {
    return prepareMessage(message, this.#parts.limits);
  }

  /** What is stored is what was sent; what the schema makes of it is made again at delivery. */
  async #check(queueName: string, message: Message): Promise<void> {
    const schema = this.#parts.schemaOf(queueName);
    if (schema !== undefined) await checkPayload(schema, message.payload, queueName);
  }

  #checkFanOut(targets: number): void {
    const { name, supports } = this.#parts.driver;
    if (targets > 1 && supports.atomicFanOut !== true) {
      throw new UnsupportedError('a publish to several queues', name, supports.atomicFanOut);
    }
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

function blockOf(options: (SendOptions & { readonly atomic?: boolean }) | undefined): BlockOptions {
  if (options === undefined) return DEFAULT_BLOCK;
  checkFields(options, ['blockTimeout', 'signal', 'atomic'], 'The send options');
  const { blockTimeout, signal } = options;
  const timeout =
    blockTimeout === undefined ? DEFAULT_BLOCK.timeout : durationToMs(blockTimeout, 'blockTimeout');
  return { timeout, signal };
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
