/** Options every error takes: the original failure, kept as `cause`. */
export interface ErrorDetails {
  readonly cause?: unknown;
}

/**
 * The base of everything Wherry throws on purpose. `code` is stable across versions: programs
 * match on it, people read the message, which names the value, the limit and the remedy.
 */
export class MessageQueueError extends Error {
  readonly code: string;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.name = new.target.name;
  }
}

/** A value given by the caller is outside what the named field allows. Nothing was changed. */
export class ValidationError extends MessageQueueError {
  constructor(message: string, details?: ErrorDetails) {
    super('VALIDATION', message, details);
  }
}

/** The queue does not exist, or was deleted while the call was on its way. */
export class QueueNotFoundError extends MessageQueueError {
  readonly queueName: string;

  constructor(queueName: string) {
    super(
      'QUEUE_NOT_FOUND',
      `Queue '${queueName}' does not exist. Create it first with createQueue({ name: '${queueName}' }).`,
    );
    this.queueName = queueName;
  }
}

/** A queue or exchange of this name exists with other settings. */
export class QueueExistsError extends MessageQueueError {
  constructor(kind: 'Queue' | 'Exchange', name: string, differing: readonly string[]) {
    const remedy =
      kind === 'Queue'
        ? `Change them with updateQueue('${name}', …)`
        : 'Delete it and create it anew';
    super(
      'QUEUE_EXISTS',
      `${kind} '${name}' exists with other settings (${differing.join(', ')}). ` +
        `${remedy}, or give the settings that it has.`,
    );
  }
}

/** `deleteQueue` without `force` on a queue that still holds messages. Nothing was deleted. */
export class QueueNotEmptyError extends MessageQueueError {
  constructor(queueName: string, messages: number) {
    super(
      'QUEUE_NOT_EMPTY',
      `Queue '${queueName}' holds ${messages} message(s). ` +
        'Consume or purge them first, or pass { force: true } to delete them with the queue.',
    );
  }
}

/** The queue's `maxSize` or `maxBytes` leaves no room. The message was not stored. */
export class QueueFullError extends MessageQueueError {
  readonly queueName: string;

  constructor(queueName: string, limit: string) {
    super(
      'QUEUE_FULL',
      `Queue '${queueName}' is full (${limit}). Send again later, raise the limit with updateQueue, ` +
        "or set its overflow to 'drop-oldest' or 'block'.",
    );
    this.queueName = queueName;
  }
}

/** No exchange of this name. */
export class ExchangeNotFoundError extends MessageQueueError {
  constructor(name: string) {
    super(
      'EXCHANGE_NOT_FOUND',
      `Exchange '${name}' does not exist. Create it first with createExchange({ name: '${name}', type: … }).`,
    );
  }
}

/** No schedule of this name. */
export class ScheduleNotFoundError extends MessageQueueError {
  constructor(name: string) {
    super(
      'SCHEDULE_NOT_FOUND',
      `Schedule '${name}' does not exist. Create it with upsertSchedule('${name}', …).`,
    );
  }
}

/** No producer with this id was created in this process. */
export class ProducerNotFoundError extends MessageQueueError {
  constructor(id: string) {
    super('PRODUCER_NOT_FOUND', `Producer '${id}' does not exist. Create it with createProducer.`);
  }
}

/** No consumer with this id was created in this process. */
export class ConsumerNotFoundError extends MessageQueueError {
  constructor(id: string) {
    super('CONSUMER_NOT_FOUND', `Consumer '${id}' does not exist. Create it with createConsumer.`);
  }
}

/** No message with this id is stored: it was acknowledged, expired, dropped, or never sent. */
export class MessageNotFoundError extends MessageQueueError {
  constructor(id: string) {
    super(
      'MESSAGE_NOT_FOUND',
      `Message '${id}' is not stored. It was acknowledged, expired, dropped or purged, or the id is wrong.`,
    );
  }
}

/** The caller no longer holds (or never held) the lease on this message. Nothing was changed. */
export class LeaseLostError extends MessageQueueError {
  readonly messageId: string;

  constructor(messageId: string) {
    super(
      'LEASE_LOST',
      `The lease on message '${messageId}' is not held: it ended, was settled, or belongs to another consumer. ` +
        'Lengthen leaseDuration, or extend the lease while working.',
    );
    this.messageId = messageId;
  }
}

/** The store failed. `retriable` tells whether the same call may succeed later without reopening. */
export class StorageError extends MessageQueueError {
  readonly retriable: boolean;

  constructor(
    message: string,
    options: ErrorDetails & { code?: string; retriable?: boolean } = {},
  ) {
    super(options.code ?? 'STORAGE', message, options);
    this.retriable = options.retriable ?? false;
  }
}

/** The folder is open in another process, named by its pid. */
export class StorageInUseError extends StorageError {
  readonly ownerPid: number;

  constructor(path: string, ownerPid: number) {
    super(
      `The store '${path}' is in use by process ${ownerPid}. One process owns a folder: ` +
        'stop that process, give this one a folder of its own, or open it with { share: true } in both.',
      { code: 'STORAGE_IN_USE' },
    );
    this.ownerPid = ownerPid;
  }
}

/** The store was written by a newer version of Wherry. Nothing was changed. */
export class StorageVersionError extends StorageError {
  constructor(path: string, found: number, known: number) {
    super(
      `The store '${path}' has format ${found}; this version of Wherry knows formats up to ${known}. ` +
        'Upgrade wherry to open it.',
      { code: 'STORAGE_VERSION' },
    );
  }
}

/** Another migration is moving this queue's messages. Nothing was changed. */
export class TransferRunningError extends MessageQueueError {
  constructor(queueName: string) {
    super(
      'TRANSFER_RUNNING',
      `Another migration is moving the messages of queue '${queueName}'. Wait for its end, or end it.`,
    );
  }
}

/** The payload cannot be stored without being changed (a cycle, a function, a Date, a bigint …). */
export class SerializationError extends MessageQueueError {
  constructor(message: string, details?: ErrorDetails) {
    super('SERIALIZATION', message, details);
  }
}

/** A stored payload cannot be read back: damaged, or not what the queue's schema allows. */
export class DeserializationError extends MessageQueueError {
  constructor(message: string, details?: ErrorDetails) {
    super('DESERIALIZATION', message, details);
  }
}

/** What was asked for is outside what this store can do; the reason is the store's own. */
export class UnsupportedError extends MessageQueueError {
  constructor(what: string, store: string, reason: string) {
    super('UNSUPPORTED', `The ${store} store does not support ${what}: ${reason}`);
  }
}

/** The system, or the part of it that was called, is closed or closing. */
export class ClosedError extends MessageQueueError {
  constructor(what: string) {
    super('CLOSED', `${what} is closed. Open a new one to go on.`);
  }
}

/** A deadline given by the caller passed. */
export class TimeoutError extends MessageQueueError {
  constructor(what: string, ms: number) {
    super('TIMEOUT', `${what} took longer than ${ms} ms.`);
  }
}

/** A request became a dead letter: nobody will reply to it. */
export class RequestFailedError extends MessageQueueError {
  /** Why it is one, where that is known: 'rejected', 'max-retries', 'expired', … */
  readonly reason: string | null;

  constructor(
    queueName: string,
    details: { readonly error: string; readonly reason: string | null },
  ) {
    const { error, reason } = details;
    const why = reason === null || reason === error ? error : `${reason}: ${error}`;
    super('REQUEST_FAILED', `The request to queue '${queueName}' has failed (${why}).`);
    this.reason = reason;
  }
}

/**
 * Thrown by a handler: give the message another try, after `delay`, whatever the queue's back-off
 * says. It counts as a retry like any failure.
 */
export class RetryError extends MessageQueueError {
  readonly delay: number | string | undefined;

  /** @param options.delay milliseconds or a string such as `'30s'`; left out: the queue's back-off. */
  constructor(options: ErrorDetails & { delay?: number | string; message?: string } = {}) {
    super('RETRY', options.message ?? 'The handler asked for a retry.', options);
    this.delay = options.delay;
  }
}

/** Thrown by a handler: this message can never succeed; dead-letter it now, without retries. */
export class RejectError extends MessageQueueError {
  constructor(reason = 'The handler rejected the message.', details?: ErrorDetails) {
    super('REJECT', reason, details);
  }
}
