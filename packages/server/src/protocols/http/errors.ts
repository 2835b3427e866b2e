import { MessageQueueError, ValidationError } from 'wherry';

/** One thing that is wrong with a request. */
export interface Mistake {
  /** Where: `body.messages[3].priority`, `query.limit`. */
  readonly field: string;
  readonly detail: string;
}

/** A request that does not fit its route's schemas. Nothing was done. */
export class InvalidRequestError extends ValidationError {
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[]) {
    super(mistakes.map(({ field, detail }) => `${field} ${detail}`).join('; ') + '.');
    this.mistakes = mistakes;
  }
}

/** Something of the request is larger than the broker takes. */
export class TooLargeError extends MessageQueueError {
  readonly limit: number;

  /** @param limit in bytes */
  constructor(what: string, limit: number, remedy: string) {
    super('PAYLOAD_TOO_LARGE', `${what} is larger than ${limit} bytes. ${remedy}`);
    this.limit = limit;
  }
}

export class UnsupportedMediaTypeError extends MessageQueueError {
  constructor(message: string) {
    super('UNSUPPORTED_MEDIA_TYPE', message);
  }
}

/** The broker holds as much as it may. Nothing was done; the same request may succeed later. */
export class OverloadedError extends MessageQueueError {
  readonly limit: number;

  constructor(what: string, limit: number) {
    super('OVERLOADED', `The broker has reached its limit of ${limit} ${what}. Try again later.`);
    this.limit = limit;
  }
}

/** The broker is short of what it lives on, and takes no messages. Nothing was done. */
export class AlarmError extends MessageQueueError {
  /** Seconds. */
  readonly retryAfter = 5;

  /** @param detail what is short, the limit, and the remedy */
  constructor(detail: string) {
    super('OVERLOADED', detail);
  }
}

/** The client did not send what it began to send in time. */
export class RequestTimeoutError extends MessageQueueError {
  constructor(ms: number) {
    super('REQUEST_TIMEOUT', `The request was not complete within ${ms} ms.`);
  }
}

/** What came over the connection is not HTTP. */
export class MalformedRequestError extends MessageQueueError {
  constructor() {
    super('BAD_REQUEST', 'This is not a request of HTTP/1.1 that can have but one meaning.');
  }
}

export class HeadersTooLargeError extends MessageQueueError {
  readonly limit: number;

  /** @param limit in bytes */
  constructor(limit: number) {
    super(
      'HEADERS_TOO_LARGE',
      `The headers are larger than ${limit} bytes. Send less of them, or raise limits.headerBytes.`,
    );
    this.limit = limit;
  }
}

/** The queue is exclusive to a connection of AMQP. Nothing was done. */
export class QueueLockedError extends MessageQueueError {
  readonly queueName: string;

  constructor(queueName: string) {
    super(
      'QUEUE_LOCKED',
      `Queue '${queueName}' is exclusive to an AMQP connection. Use it there, or as an administrator.`,
    );
    this.queueName = queueName;
  }
}

/** No route has this path. */
export class RouteNotFoundError extends MessageQueueError {
  constructor(path: string) {
    super('ROUTE_NOT_FOUND', `There is nothing at ${path}. The paths are in /api/v1/openapi.json.`);
  }
}

/** The path exists, with other methods. */
export class MethodNotAllowedError extends MessageQueueError {
  readonly allowed: readonly string[];

  constructor(method: string, allowed: readonly string[]) {
    super('METHOD_NOT_ALLOWED', `${method} is not possible here; ${allowed.join(', ')} is.`);
    this.allowed = allowed;
  }
}

/** The route speaks WebSocket only. */
export class UpgradeRequiredError extends MessageQueueError {
  constructor() {
    super('UPGRADE_REQUIRED', 'This is a WebSocket: connect with ws:// or wss://.');
  }
}

/** The binding, connection … that is named does not exist. */
export class ThingNotFoundError extends MessageQueueError {
  constructor(kind: 'CONNECTION' | 'BINDING', message: string) {
    super(`${kind}_NOT_FOUND`, message);
  }
}
