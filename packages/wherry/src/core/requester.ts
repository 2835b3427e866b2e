import { randomUUID } from 'node:crypto';
import type { Timer } from './clock.ts';
import { Consumer, type ConsumerParts } from './consumer.ts';
import type { Delivery } from './delivery.ts';
import { type Duration, durationToMs } from './duration.ts';
import { ClosedError, RequestFailedError, TimeoutError, ValidationError } from './errors.ts';
import { checkFields } from './limits.ts';
import type { Message } from './message.ts';
import type { MessageSender } from './message-sender.ts';
import type { QueueManager } from './queue-manager.ts';
import { type PayloadSchema, type QueueLike, queueNameOf } from './queue.ts';
import { ERROR_HEADER, REASON_HEADER } from './replier.ts';
import { checkReply } from './schema.ts';
import type { Topology } from './topology.ts';

/** How to wait for a reply. */
export interface RequestOptions<R = unknown> {
  /** The request, too, is gone then, if nobody has begun with it. Default 30 s. */
  readonly timeout?: Duration;
  /** Ends the waiting. The request stays where it is. */
  readonly signal?: AbortSignal;
  /** Types the reply, and is held against it. */
  readonly schema?: PayloadSchema<R>;
}

export interface RequesterParts extends ConsumerParts {
  readonly topology: Topology;
  readonly sender: MessageSender;
  readonly queues: QueueManager;
  /** Names this process. */
  readonly instance: string;
}

/** Somebody who waits for a reply. */
interface Waiting {
  readonly queueName: string;
  readonly resolve: (payload: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const TIMEOUT_MAX_MS = 86_400_000;
/** After this time without its process the queue of replies is deleted, by any other. */
const IDLE_MS = 600_000;
const BATCH_SIZE = 512;
const POLL_INTERVAL_MS = 5_000;
const OPTIONS: readonly (keyof RequestOptions)[] = ['timeout', 'signal', 'schema'];

/** Sends requests and waits for their replies, in one queue for all requests of this process. */
export class Requester {
  readonly #parts: RequesterParts;
  readonly #queueName: string;
  readonly #waiting = new Map<string, Waiting>();
  #consumer: Consumer | null = null;
  #isClosed = false;

  constructor(parts: RequesterParts) {
    this.#parts = parts;
    this.#queueName = `replies-${parts.instance}`;
  }

  /** How many consumers of this queue are ours. */
  countConsumers(queueName: string): number {
    return this.#consumer !== null && queueName === this.#queueName ? 1 : 0;
  }

  /**
   * Sends a message and waits for the reply to it.
   * @returns the reply's payload
   * @throws TimeoutError when none came in time
   * @throws RequestFailedError when the request became a dead letter
   * @throws ValidationError also when the reply is not what the schema allows
   * @throws ClosedError, QueueNotFoundError, QueueFullError, StorageError; the signal's reason
   */
  async request<R, Input>(
    queue: QueueLike<unknown, Input>,
    message: Message<Input>,
    options: RequestOptions<R> = {},
  ): Promise<R> {
    checkFields(options, OPTIONS, 'The request options');
    const queueName = queueNameOf(queue);
    const { signal, schema } = options;
    const timeout = timeoutOf(options);
    if (message?.replyTo !== undefined || message?.correlationId !== undefined) {
      throw new ValidationError('request sets replyTo and correlationId of its message itself.');
    }
    signal?.throwIfAborted();
    await this.#listen();
    const correlationId = randomUUID();
    const ttl = message?.ttl;
    const request = {
      ...message,
      replyTo: this.#queueName,
      correlationId,
      // Nobody is to begin with it when it is not waited for any more.
      ttl: ttl === undefined ? timeout : Math.min(timeout, durationToMs(ttl, 'ttl', 1)),
    };
    const send = (withdrawn: AbortSignal): Promise<unknown> =>
      this.#parts.sender.sendMessage(queue, request, { blockTimeout: timeout, signal: withdrawn });
    const payload = await this.#reply(correlationId, { queueName, timeout, signal }, send);
    return (schema === undefined ? payload : await checkReply(schema, payload, queueName)) as R;
  }

  /** Those who wait are told that no reply will come; the queue of replies is deleted. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { reject } of this.#waiting.values()) {
      reject(new ClosedError('The message queue system'));
    }
    if (this.#consumer === null) return;
    await this.#consumer.stop(0);
    try {
      await this.#parts.queues.deleteQueue(this.#queueName, { force: true });
    } catch {
      // It is gone already, or will be once it was idle for long enough.
    }
  }

  /** @param send is given what tells it that nobody waits any more */
  async #reply(
    correlationId: string,
    wait: { queueName: string; timeout: number; signal: AbortSignal | undefined },
    send: (withdrawn: AbortSignal) => Promise<unknown>,
  ): Promise<unknown> {
    const { queueName, timeout, signal } = wait;
    const ended = new AbortController();
    let timer: Timer | null = null;
    let abort = (): void => {};
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(correlationId, { queueName, resolve, reject });
        timer = this.#parts.clock.setTimer(() => {
          reject(new TimeoutError(`The reply to a request to queue '${queueName}'`, timeout));
        }, timeout);
        abort = () => reject(signal!.reason as Error);
        signal?.addEventListener('abort', abort);
        send(ended.signal).catch(reject);
      });
    } finally {
      this.#waiting.delete(correlationId);
      (timer as Timer | null)?.cancel();
      signal?.removeEventListener('abort', abort);
      ended.abort();
    }
  }

  /** Makes the queue of replies with the first request, and again should somebody have deleted it. */
  async #listen(): Promise<void> {
    if (this.#isClosed) throw new ClosedError('The message queue system');
    const { topology, queues } = this.#parts;
    if (topology.findQueue(this.#queueName) === undefined) {
      const name = this.#queueName;
      await queues.createQueue({ name, durable: false, expiresAfterIdle: IDLE_MS });
    }
    if (this.#isClosed) throw new ClosedError('The message queue system');
    if (this.#consumer !== null) return;
    this.#consumer = new Consumer(
      {
        id: '#replies',
        name: '#replies',
        queueName: this.#queueName,
        handle: { per: 'message', handler: (delivery) => this.#accept(delivery) },
        batchSize: BATCH_SIZE,
        concurrency: 1,
        pollInterval: POLL_INTERVAL_MS,
        leaseDuration: topology.queue(this.#queueName).settings.leaseDuration,
        handlerTimeout: null,
      },
      this.#parts,
    );
    this.#consumer.start();
  }

  /** A reply that came too late, or a second time, is waited for by nobody. */
  #accept({ message }: Delivery): void {
    const { correlationId = '', headers = {}, payload } = message;
    const waiting = this.#waiting.get(correlationId);
    if (waiting === undefined) return;
    const error = headers[ERROR_HEADER];
    if (error === undefined) waiting.resolve(payload);
    else {
      const reason = headers[REASON_HEADER];
      const details = { error: String(error), reason: typeof reason === 'string' ? reason : null };
      waiting.reject(new RequestFailedError(waiting.queueName, details));
    }
  }
}

function timeoutOf({ timeout = DEFAULT_TIMEOUT_MS }: RequestOptions): number {
  const ms = durationToMs(timeout, 'timeout', 1);
  if (ms <= TIMEOUT_MAX_MS) return ms;
  throw new ValidationError(
    `timeout is ${ms} ms; a reply is waited for ${TIMEOUT_MAX_MS} ms at most. ` +
      'Send a message with replyTo to a queue of your own instead.',
  );
}
