import { isUtf8 } from 'node:buffer';
import type { Delivery, Message } from 'wherry';
import { InvalidRequestError, UnsupportedMediaTypeError } from './errors.ts';
import { parse } from './mistakes.ts';
import { messageSchema, toMessage } from './schemas/message.ts';

/** As a server gives them: names in lower case. */
export interface RequestHeaders {
  readonly 'content-type'?: string | undefined;
  readonly [name: string]: string | readonly string[] | undefined;
}

/** The header of each field of a message. */
const FIELD_HEADERS = {
  'wherry-priority': 'priority',
  'wherry-ttl': 'ttl',
  'wherry-delay': 'delay',
  'wherry-deliver-at': 'deliverAt',
  'wherry-max-retries': 'maxRetries',
  'wherry-group-id': 'groupId',
  'wherry-deduplication-id': 'deduplicationId',
  'wherry-correlation-id': 'correlationId',
  'wherry-reply-to': 'replyTo',
  'wherry-message-id': 'messageId',
} as const;

const NUMBERS: ReadonlySet<string> = new Set(['priority', 'maxRetries']);
const HEADER_PREFIX = 'wherry-header-';
const PREFIX = 'wherry-';

/**
 * A message whose payload is the body as it came: text of a `text/` type, else bytes. Its other
 * fields come from headers, whose values are percent-encoded where they are not plain ASCII.
 * @throws InvalidRequestError, UnsupportedMediaTypeError
 */
export function messageOfRaw(body: Buffer, headers: RequestHeaders): Message {
  const contentType = headers['content-type'] ?? 'application/octet-stream';
  const fields: Record<string, unknown> = {};
  const own: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(PREFIX) || typeof value !== 'string') continue;
    if (name.startsWith(HEADER_PREFIX)) {
      own.push([name.slice(HEADER_PREFIX.length), decoded(name, value)]);
      continue;
    }
    const field = FIELD_HEADERS[name as keyof typeof FIELD_HEADERS];
    if (field === undefined) throw unknownHeader(name);
    const text = decoded(name, value);
    const isNumber = NUMBERS.has(field) || /^\d+$/.test(text);
    fields[field] = isNumber && isNumeric(field) ? Number(text) : text;
  }
  const message = parse(messageSchema, { payload: null, contentType, ...fields }, 'header');
  return {
    ...toMessage(message),
    payload: isText(contentType) ? textOf(body, contentType) : body,
    ...(own.length > 0 && { headers: Object.fromEntries(own) }),
  };
}

/** Numbers, durations and times; names may consist of digits. */
function isNumeric(field: string): boolean {
  return NUMBERS.has(field) || ['ttl', 'delay', 'deliverAt'].includes(field);
}

function unknownHeader(name: string): InvalidRequestError {
  const known = [...Object.keys(FIELD_HEADERS), `${HEADER_PREFIX}NAME`].join(', ');
  return new InvalidRequestError([
    { field: `header.${name}`, detail: `is not known; there are ${known}` },
  ]);
}

function isText(contentType: string): boolean {
  return /^text\//i.test(contentType);
}

function textOf(body: Buffer, contentType: string): string {
  const charset = /;\s*charset="?([^";\s]+)/i.exec(contentType)?.[1]?.toLowerCase() ?? 'utf-8';
  if (!['utf-8', 'utf8', 'us-ascii'].includes(charset)) {
    throw new UnsupportedMediaTypeError(
      `Text in '${charset}' is not taken. Send UTF-8, or the bytes as application/octet-stream.`,
    );
  }
  if (!isUtf8(body)) {
    const detail = 'is not UTF-8; send other bytes as application/octet-stream';
    throw new InvalidRequestError([{ field: 'body', detail }]);
  }
  return body.toString('utf8');
}

function decoded(name: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    const detail = "is not percent-encoded as it should be; write '%' as %25";
    throw new InvalidRequestError([{ field: `header.${name}`, detail }]);
  }
}

/** A payload as the body of a response. */
export interface RawPayload {
  readonly body: string | Uint8Array;
  readonly headers: Record<string, string>;
}

/** The reverse: a delivery whose payload is the body, with the rest in headers. */
export function rawOfDelivery(delivery: Delivery): RawPayload {
  const { message, payload } = delivery;
  const body = rawBodyOf(payload);
  const headers: Record<string, string> = {
    'content-type': safeContentType(message.contentType) ?? defaultType(payload),
    'wherry-receipt': delivery.receipt,
    'wherry-id': delivery.id,
    'wherry-timestamp': String(delivery.timestamp),
    'wherry-retry-count': String(delivery.retryCount),
    'wherry-delivery-count': String(delivery.deliveryCount),
    'wherry-lease-until': String(delivery.lease.until),
  };
  for (const [header, field] of Object.entries(FIELD_HEADERS)) {
    const value = message[field];
    if (value !== undefined) headers[header] = encodeURIComponent(String(value));
  }
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    // What is no header's name (RFC 9110, section 5.6.2) can only be seen in the JSON form.
    if (/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
      headers[HEADER_PREFIX + name] = encodeURIComponent(String(value));
    }
  }
  return { body, headers };
}

function rawBodyOf(payload: unknown): string | Uint8Array {
  return typeof payload === 'string' || payload instanceof Uint8Array
    ? payload
    : JSON.stringify(payload);
}

function defaultType(payload: unknown): string {
  if (typeof payload === 'string') return 'text/plain; charset=utf-8';
  return payload instanceof Uint8Array ? 'application/octet-stream' : 'application/json';
}

/** A producer's text becomes a header only if it is one. */
function safeContentType(contentType: string | undefined): string | undefined {
  return contentType !== undefined && /^[\u0020-\u007e]{1,255}$/.test(contentType)
    ? contentType
    : undefined;
}
