import { propertiesOf } from './amqp-content.ts';
import type { LeasedMessage, QueueRef, Receipt, StoredMessage } from './driver.ts';
import type { Duration } from './duration.ts';
import type { Death, Envelope, Lease, Message, NewDeath } from './message.ts';
import type { Failure } from './failure-policy.ts';
import { encodeReceipt } from './receipt.ts';
import type { CallerTransaction } from './transaction.ts';

/** How to acknowledge. */
export interface AcknowledgeOptions {
  /**
   * The caller's own transaction in the store's database: the message is gone when it commits, and
   * still held if it rolls back.
   */
  readonly tx?: CallerTransaction;
}

/** What a delivery needs to be settled with. */
export interface Settling {
  acknowledge(delivery: Delivery, options: AcknowledgeOptions): Promise<void>;
  fail(delivery: Delivery, failure: Failure): Promise<void>;
  reply(delivery: Delivery, payload: unknown): Promise<void>;
  extend(delivery: Delivery, leaseDuration: Duration): Promise<void>;
}

/**
 * A message in a consumer's hands. It must be settled in one of four ways before its lease ends;
 * a `Consumer` does so by whether the handler returns or throws.
 */
export class Delivery<T = unknown> implements Envelope<T>, Receipt {
  readonly message: Message<T>;
  /** @internal */
  readonly queue: QueueRef;
  /** @internal */
  readonly stored: LeasedMessage;
  /** @internal From when on, by this process's clock, no handler may begin with it (G9). */
  readonly staleAt: number;
  /** @internal Until when, by this process's clock, the lease is known to be held. */
  heldUntil: number;
  /** @internal Whether a settlement was asked for: a second one is not. */
  settled = false;
  /** @internal It was acknowledged in a transaction of the caller, which decides what becomes of it. */
  inTransaction = false;
  /** @internal How its holder last asked for it to fail; null: not, or it was acknowledged since. */
  failure: Failure | null = null;
  /** @internal A settlement failed, and it may have taken effect all the same. */
  inDoubt = false;
  /** @internal It was answered. */
  replied = false;
  readonly #settling: Settling;
  #abort: AbortController | null = null;

  /** @internal */
  constructor(
    queue: QueueRef,
    stored: LeasedMessage,
    payload: T,
    staleAt: number,
    heldUntil: number,
    settling: Settling,
  ) {
    this.message = messageOf(stored, payload);
    this.queue = queue;
    this.stored = stored;
    this.staleAt = staleAt;
    this.heldUntil = heldUntil;
    this.#settling = settling;
  }

  // Getters rather than fields: a delivery is made for every message, and few of these are read.

  get id(): string {
    return this.stored.id;
  }

  get publishId(): string {
    return this.stored.publishId;
  }

  get queueName(): string {
    return this.queue.name;
  }

  get timestamp(): number {
    return this.stored.timestamp;
  }

  get priority(): number {
    return this.stored.priority;
  }

  get retryCount(): number {
    return this.stored.retryCount;
  }

  get deliveryCount(): number {
    return this.stored.deliveryCount;
  }

  get availableAt(): number {
    return this.stored.availableAt;
  }

  get expiresAt(): number | null {
    return this.stored.expiresAt;
  }

  get state(): 'leased' {
    return 'leased';
  }

  get lease(): Lease {
    return this.stored.lease;
  }

  get deaths(): readonly Death[] {
    return this.stored.deaths;
  }

  get parked(): NewDeath | null {
    return this.stored.parked;
  }

  /** `message.payload`. */
  get payload(): T {
    return this.message.payload;
  }

  /** A text that stands for the lease: who has it may settle the message (`mq.receiptManager`). */
  get receipt(): string {
    return encodeReceipt(this.queue.number, this.id, this.token);
  }

  /** @internal */
  get token(): number {
    return this.stored.lease.token;
  }

  /** Fires when the lease was lost, the handler's time is up, or the consumer must stop. */
  get signal(): AbortSignal {
    // Made only when asked for: most handlers never look.
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  /** @internal */
  abort(reason: unknown): void {
    this.#abort ??= new AbortController();
    this.#abort.abort(reason);
  }

  /** The envelope, without what belongs to this process. */
  toJSON(): Envelope<T> {
    return envelopeOf(this.stored, this.payload);
  }

  /**
   * @internal Whether a handler may begin: neither past the TTL (G9), nor on what somebody else may
   * have by now (G3). When it may not, whether the message has expired is for the store to say
   * (G14), which may have leased it long after it was asked.
   */
  mayBegin(now: number): boolean {
    return now < this.staleAt && now < this.heldUntil;
  }

  /**
   * Done: the message is gone.
   * @param options.tx acknowledges within this transaction. If it then rolls back, let the handler
   *   throw: the message is tried again.
   * @throws LeaseLostError; with `tx`: roll back, somebody else may have the message
   * @throws UnsupportedError when the store can join no transaction
   */
  acknowledge(options: AcknowledgeOptions = {}): Promise<void> {
    return this.#settling.acknowledge(this, options);
  }

  /**
   * Failed: tried again after the queue's back-off, dead-lettered when the retries are used up.
   * @throws LeaseLostError
   */
  reject(reason?: unknown): Promise<void> {
    return this.#settling.fail(this, { kind: 'failed', error: reason });
  }

  /** Tried again after `delay`; counts as a retry. @throws LeaseLostError */
  retry(options: { readonly delay?: Duration; readonly reason?: unknown } = {}): Promise<void> {
    const { delay, reason } = options;
    return this.#settling.fail(this, { kind: 'failed', error: reason, delay });
  }

  /** Straight to the dead letters, whatever retries are left. @throws LeaseLostError */
  deadLetter(reason?: unknown): Promise<void> {
    return this.#settling.fail(this, { kind: 'rejected', error: reason });
  }

  /**
   * Answers a request (a message with `replyTo` and `correlationId`): once, and before it is
   * settled, so that a crash in between leads to a second answer rather than none.
   * @throws ValidationError when the message asks for no reply, or has been answered
   * @throws SerializationError, QueueFullError, StorageError
   */
  reply(payload: unknown): Promise<void> {
    return this.#settling.reply(this, payload);
  }

  /** The lease ends `leaseDuration` from now. @throws LeaseLostError */
  extendLease(leaseDuration: Duration): Promise<void> {
    return this.#settling.extend(this, leaseDuration);
  }
}

// What `console.log` shows. (The name that util.inspect looks for is no literal, which a class
// member would need to be.)
Object.defineProperty(Delivery.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: Delivery): Envelope {
    return this.toJSON();
  },
});

/** What the producer gave, with what was stored of it. */
function messageOf<T>(stored: StoredMessage, payload: T): Message<T> {
  const properties = propertiesOf(stored);
  if (properties === null && stored.groupId === null && stored.deduplicationId === null) {
    return { payload, priority: stored.priority };
  }
  return {
    payload,
    priority: stored.priority,
    ...properties,
    ...(stored.groupId === null ? {} : { groupId: stored.groupId }),
    ...(stored.deduplicationId === null ? {} : { deduplicationId: stored.deduplicationId }),
  };
}

/** A stored message as a person or program looks at it, without a lease of one's own. */
export function envelopeOf<T>(stored: StoredMessage, payload: T): Envelope<T> {
  return {
    id: stored.id,
    publishId: stored.publishId,
    queueName: stored.queueName,
    message: messageOf(stored, payload),
    timestamp: stored.timestamp,
    priority: stored.priority,
    retryCount: stored.retryCount,
    deliveryCount: stored.deliveryCount,
    availableAt: stored.availableAt,
    expiresAt: stored.expiresAt,
    state: stored.state,
    lease: stored.lease,
    deaths: stored.deaths,
    parked: stored.parked,
  };
}
