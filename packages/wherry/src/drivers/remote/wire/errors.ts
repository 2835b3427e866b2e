import {
  ClosedError,
  MessageQueueError,
  QueueNotFoundError,
  StorageError,
  ValidationError,
} from '../../../core/errors.ts';
import { type Codec, isObject, json } from './codec.ts';

/** An error as it travels. No stack: the other side is not shown how this one is made. */
export interface WireFailure {
  readonly code: string;
  readonly message: string;
  readonly queueName?: string;
  /** Of a StorageError. */
  readonly retriable?: boolean;
}

export const failure: Codec<WireFailure> = json(
  (value) => isObject(value) && typeof value.code === 'string' && typeof value.message === 'string',
);

export function toFailure(error: unknown): WireFailure {
  if (error instanceof ClosedError) {
    const message = `${error.message} Nothing was changed.`;
    return { code: 'STORAGE_UNAVAILABLE', message, retriable: true };
  }
  if (error instanceof QueueNotFoundError) {
    return { code: error.code, message: error.message, queueName: error.queueName };
  }
  if (error instanceof StorageError) {
    return { code: error.code, message: error.message, retriable: error.retriable };
  }
  if (error instanceof MessageQueueError) return { code: error.code, message: error.message };
  const told = error instanceof Error ? error.message : String(error);
  return { code: 'STORAGE', message: `The store failed (${told}).`, retriable: false };
}

export function toError({ code, message, queueName, retriable }: WireFailure): MessageQueueError {
  if (code === 'QUEUE_NOT_FOUND' && queueName !== undefined) {
    return new QueueNotFoundError(queueName);
  }
  if (code === 'VALIDATION') return new ValidationError(message);
  if (retriable !== undefined) return new StorageError(message, { code, retriable });
  return new MessageQueueError(code, message);
}
