import {
  ExchangeNotFoundError,
  type MessageQueueError,
  QueueNotFoundError,
  UnsupportedError,
  ValidationError,
} from 'wherry';
import { LimitReachedError } from '../../../access/errors.ts';
import { AmqpError } from '../../../protocols/amqp/errors.ts';

/** What definitions are made of. */
export type ResourceKind = 'queue' | 'exchange';

/** As RabbitMQ names a queue or an exchange in its texts. */
export function resourceText(kind: ResourceKind, name: string, vhost: string): string {
  return `${kind} '${name}' in vhost '${vhost}'`;
}

export function notFound(kind: ResourceKind, name: string, vhost: string): AmqpError {
  return new AmqpError('not-found', `no ${resourceText(kind, name, vhost)}`);
}

export function preconditionFailed(explanation: string): AmqpError {
  return new AmqpError('precondition-failed', explanation);
}

export function accessRefused(explanation: string): AmqpError {
  return new AmqpError('access-refused', explanation);
}

/** The queue is another connection's, or it is declared as what it is not. */
export function resourceLocked(queue: string, vhost: string): AmqpError {
  return new AmqpError(
    'resource-locked',
    `cannot obtain exclusive access to locked ${resourceText('queue', queue, vhost)}. It could be ` +
      'originally declared on another connection or the exclusive property value does not match ' +
      'that of the original declaration.',
  );
}

/** A consumer wants to be alone, or another is. */
export function inExclusiveUse(queue: string, vhost: string): AmqpError {
  return accessRefused(`${resourceText('queue', queue, vhost)} in exclusive use`);
}

/**
 * What an error of the system's is to a client that was working on this queue or exchange.
 * @returns the same, where it is nothing that the client has done
 */
export function amqpError(
  error: unknown,
  {
    kind,
    name,
    vhost,
  }: { readonly kind: ResourceKind; readonly name: string; readonly vhost: string },
): unknown {
  if (error instanceof QueueNotFoundError) return notFound('queue', error.queueName, vhost);
  if (error instanceof ExchangeNotFoundError) return notFound('exchange', name, vhost);
  if (error instanceof ValidationError || error instanceof UnsupportedError) {
    const what = resourceText(kind, name, vhost);
    return new AmqpError('precondition-failed', `${what}: ${error.message}`, { cause: error });
  }
  if (error instanceof LimitReachedError) return preconditionFailed(error.message);
  return error;
}

/** Whether the system says that there is nothing of this name: of no matter to who deletes it. */
export function isNotFound(error: unknown): error is MessageQueueError {
  return error instanceof QueueNotFoundError || error instanceof ExchangeNotFoundError;
}
