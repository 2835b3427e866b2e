import { MessageQueueError, StorageError } from 'wherry';
import * as z from 'zod';
import { InvalidRequestError, MethodNotAllowedError, type Mistake } from './errors.ts';

/** An error as a response carries it: RFC 9457, with our stable codes. */
export const problemSchema: z.ZodType = z
  .strictObject({
    type: z.string().describe('`urn:wherry:error:` and the code.'),
    title: z.string().describe('The same for all problems of this code.'),
    status: z.int(),
    detail: z.string().describe('What is wrong, the limit, and what to do about it.'),
    code: z.string().describe('Stable across versions: programs match on it.'),
    field: z.string().optional().describe('The first field that is wrong.'),
    errors: z
      .array(z.strictObject({ field: z.string(), detail: z.string() }))
      .optional()
      .describe('All that is wrong, when it is more than one thing.'),
    limit: z.number().optional().describe('The limit that was reached.'),
    requestId: z.string().optional().describe("The same as in the broker's log."),
  })
  .meta({ id: 'Problem' });

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly field?: string;
  readonly errors?: readonly Mistake[];
  readonly limit?: number;
  readonly requestId?: string;
}

/** Status and title by code. What is not here is an internal error. */
export const PROBLEMS: Readonly<Record<string, readonly [status: number, title: string]>> = {
  VALIDATION: [400, 'The request is not valid'],
  SERIALIZATION: [400, 'The payload cannot be stored'],
  INVALID_JSON: [400, 'The body is not JSON that can be taken'],
  BAD_REQUEST: [400, 'The request is malformed'],
  UNAUTHENTICATED: [401, 'Credentials are needed'],
  FORBIDDEN: [403, 'Not allowed'],
  HOST_NOT_ALLOWED: [403, 'The Host is not one of the broker'],
  ORIGIN_NOT_ALLOWED: [403, 'The Origin is not one of the broker'],
  CSRF: [403, 'The request may not come from this page'],
  QUEUE_NOT_FOUND: [404, 'No such queue'],
  EXCHANGE_NOT_FOUND: [404, 'No such exchange'],
  SCHEDULE_NOT_FOUND: [404, 'No such schedule'],
  MESSAGE_NOT_FOUND: [404, 'No such message'],
  CONSUMER_NOT_FOUND: [404, 'No such consumer'],
  CONNECTION_NOT_FOUND: [404, 'No such connection'],
  BINDING_NOT_FOUND: [404, 'No such binding'],
  VHOST_NOT_FOUND: [404, 'No such virtual host'],
  USER_NOT_FOUND: [404, 'No such user'],
  TOKEN_NOT_FOUND: [404, 'No such token'],
  ROUTE_NOT_FOUND: [404, 'Nothing is here'],
  METHOD_NOT_ALLOWED: [405, 'Not with this method'],
  RESOURCE_LOCKED: [405, 'The queue is exclusive to another'],
  REQUEST_TIMEOUT: [408, 'The request took too long to arrive'],
  QUEUE_EXISTS: [409, 'It exists with other settings'],
  QUEUE_NOT_EMPTY: [409, 'The queue holds messages'],
  QUEUE_LOCKED: [409, 'The queue is exclusive to another'],
  LEASE_LOST: [409, 'The lease is not held'],
  LAST_ADMIN: [409, 'The last administrator'],
  ACCOUNT_READ_ONLY: [409, 'It is kept in the configuration'],
  VHOST_NOT_EMPTY: [409, 'The virtual host holds messages'],
  LIMIT_REACHED: [409, 'There are as many as there may be'],
  TRANSFER_RUNNING: [409, 'A migration is moving the messages'],
  NAME_TAKEN: [409, 'It exists'],
  CONFLICT: [409, 'Others keep changing it'],
  PAYLOAD_TOO_LARGE: [413, 'Too large'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'The media type is not taken here'],
  UPGRADE_REQUIRED: [426, 'A WebSocket is needed'],
  QUEUE_FULL: [429, 'The queue is full'],
  LOGIN_THROTTLED: [429, 'Too many tries to log in'],
  HEADERS_TOO_LARGE: [431, 'The headers are too large'],
  UNSUPPORTED: [501, 'The store cannot do this'],
  OVERLOADED: [503, 'The broker is at its limits'],
  CLOSED: [503, 'The broker is closing'],
  TIMEOUT: [504, 'It took too long'],
};

const RETRY_AFTER_S = 1;
const RETRY_LATER: ReadonlySet<number> = new Set([429, 503]);

/** How an error is answered. */
export interface ProblemResponse {
  readonly problem: Problem;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Translates an error, once, at the edge. What was not thrown on purpose tells nothing of itself:
 * its text stays in the log, under the request's id.
 */
export function problemOf(error: unknown, requestId?: string): ProblemResponse {
  const [code, status, title] = kindOf(error);
  const isInternal = status === 500 && !(error instanceof StorageError);
  const detail = isInternal
    ? 'Something went wrong that should not have. The broker logged it under the requestId.'
    : (error as Error).message;
  const mistakes = error instanceof InvalidRequestError ? error.mistakes : [];
  const { limit } = error as { limit?: unknown };
  const problem: Problem = {
    type: `urn:wherry:error:${code}`,
    title,
    status,
    detail,
    code,
    ...(mistakes[0] !== undefined && { field: mistakes[0].field }),
    ...(mistakes.length > 1 && { errors: mistakes }),
    ...(typeof limit === 'number' && { limit }),
    ...(requestId !== undefined && { requestId }),
  };
  return { problem, headers: headersOf(error, status) };
}

function kindOf(error: unknown): readonly [code: string, status: number, title: string] {
  if (error instanceof StorageError && error.retriable) {
    return [error.code, 503, 'The store cannot be reached'];
  }
  const code = codeOf(error);
  const known = PROBLEMS[code];
  if (known !== undefined) return [code, ...known];
  if (error instanceof StorageError) return [code, 500, 'The store failed'];
  return ['INTERNAL', 500, 'An internal error'];
}

/** Ours, or what the HTTP framework's code means. */
function codeOf(error: unknown): string {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  if (error instanceof MessageQueueError) return error.code;
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return 'PAYLOAD_TOO_LARGE';
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return 'UNSUPPORTED_MEDIA_TYPE';
    default:
      return statusCode === 400 ? 'BAD_REQUEST' : 'INTERNAL';
  }
}

function headersOf(error: unknown, status: number): Record<string, string> {
  const headers: Record<string, string> = {};
  const { retryAfter = RETRY_AFTER_S } = error as { retryAfter?: number };
  if (RETRY_LATER.has(status)) headers['retry-after'] = String(retryAfter);
  // Basic is taken too, but a browser that is told so asks by itself, and sends it to whoever asks.
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="wherry"';
  if (error instanceof MethodNotAllowedError) headers['allow'] = error.allowed.join(', ');
  return headers;
}

/** The statuses that the documentation can name for codes. */
export function statusOf(code: string): number {
  return PROBLEMS[code]?.[0] ?? 500;
}
