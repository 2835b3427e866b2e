import { MessageQueueError } from 'wherry';

export type RefusedCode =
  | 'VALIDATION'
  | 'FORBIDDEN'
  | 'QUEUE_NOT_FOUND'
  | 'EXCHANGE_NOT_FOUND'
  | 'RESOURCE_LOCKED';

/** What AMQP's rules refuse. The message is what RabbitMQ says of it. */
export class RefusedError extends MessageQueueError {
  constructor(code: RefusedCode, reason: string, cause?: unknown) {
    super(code, reason, { cause });
  }
}

const ERRORS: Readonly<Record<number, string>> = {
  400: 'bad_request',
  401: 'not_authorized',
  403: 'not_authorised',
  404: 'Object Not Found',
  405: 'method_not_allowed',
  409: 'conflict',
};

/** What clients of RabbitMQ's API look for in the body of an error, beside what all our errors have. */
export function refusalOf(problem: { readonly status: number; readonly detail: string }): {
  readonly error: string;
  readonly reason: string;
} {
  return { error: ERRORS[problem.status] ?? 'error', reason: problem.detail };
}
