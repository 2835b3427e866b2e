import { ValidationError } from '../core/errors.ts';
import type { Envelope, Message } from '../core/message.ts';
import { parseJson } from './json.ts';

/** How the bytes of an input become a payload. */
export type PayloadForm = 'json' | 'text' | 'bytes';

/** A message, and the routing key where the line has one of its own. */
export interface Addressed {
  readonly message: Message;
  readonly routingKey?: string;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws ValidationError when the bytes are not what the form says */
export function parsePayload(bytes: Uint8Array, form: PayloadForm): unknown {
  if (form === 'bytes') return bytes;
  const text = decode(bytes);
  return form === 'text' ? text : parseJson(text, ' Send text with --text.');
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new ValidationError('It is not UTF-8. Send it with --bytes.', { cause });
  }
}

/** Fields of the line that make up the message. `payloadEncoding` says how to read the payload. */
const MESSAGE_FIELDS: ReadonlySet<string> = new Set<
  keyof Message | 'payloadEncoding' | 'routingKey'
>([
  'payload',
  'payloadEncoding',
  'routingKey',
  'contentType',
  'headers',
  'priority',
  'ttl',
  'delay',
  'deliverAt',
  'maxRetries',
  'deduplicationId',
  'deduplication',
  'groupId',
  'correlationId',
  'replyTo',
  'messageId',
]);

/** What `consume` and `browse` tell beside the message: passed over, so that it can be sent again. */
const STORED_FACTS: ReadonlySet<string> = new Set([
  'id',
  'queueName',
  'timestamp',
  'retryCount',
  'deliveryCount',
  'availableAt',
  'expiresAt',
  'state',
  'lease',
  'deaths',
  'parked',
  'publishId',
]);

/**
 * Reads a line of `--envelope` input: `{"payload": …, "headers": {…}, "priority": 5, …}`.
 * @throws ValidationError naming the field that is wrong
 */
export function parseEnvelopeLine(bytes: Uint8Array): Addressed {
  const value = parseJson(decode(bytes));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ValidationError('It is not an object with a payload.');
  }
  const fields = new Map(Object.entries(value));
  if (!fields.has('payload')) throw new ValidationError("The object has no field 'payload'.");
  for (const name of fields.keys()) {
    if (MESSAGE_FIELDS.has(name) || STORED_FACTS.has(name)) continue;
    throw new ValidationError(
      `The field '${name}' is unknown; the fields are ${[...MESSAGE_FIELDS].join(', ')}.`,
    );
  }
  const routingKey: unknown = fields.get('routingKey');
  if (routingKey !== undefined && typeof routingKey !== 'string') {
    throw new ValidationError('The field routingKey must be a string.');
  }
  const payload = decodedPayload(fields.get('payload'), fields.get('payloadEncoding'));
  const rest = [...fields].filter(
    ([name, field]) =>
      MESSAGE_FIELDS.has(name) &&
      name !== 'payloadEncoding' &&
      name !== 'routingKey' &&
      field !== undefined,
  );
  const message = { ...Object.fromEntries(rest), payload, ...deliverAt(fields.get('deliverAt')) };
  return routingKey === undefined ? { message } : { message, routingKey };
}

function decodedPayload(payload: unknown, encoding: unknown): unknown {
  if (encoding === undefined) return payload;
  if (encoding !== 'base64') {
    throw new ValidationError("The field payloadEncoding must be 'base64', or be left out.");
  }
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'base64') : null;
  if (bytes === null || bytes.toString('base64') !== payload) {
    throw new ValidationError('The payload is not base64 text, as payloadEncoding says.');
  }
  return bytes;
}

/** JSON has no dates: a text is read as ISO 8601. */
function deliverAt(value: unknown): { deliverAt: number } | undefined {
  if (typeof value !== 'string') return undefined;
  const time = Date.parse(value);
  if (Number.isNaN(time)) {
    throw new ValidationError(`The field deliverAt is '${value}'; it must be an ISO 8601 time.`);
  }
  return { deliverAt: time };
}

/** A payload as a JSON value: bytes become base64 text. */
export function payloadValue(payload: unknown): unknown {
  return payload instanceof Uint8Array ? Buffer.from(payload).toString('base64') : payload;
}

/** A payload as the standard input of a program: text and bytes untouched, else JSON. */
export function payloadBytes(payload: unknown): string | Uint8Array {
  if (typeof payload === 'string' || payload instanceof Uint8Array) return payload;
  return JSON.stringify(payload);
}

/** A stored message as one flat JSON object; `publish --envelope` reads it back. */
export function envelopeRecord(envelope: Envelope): Record<string, unknown> {
  const { payload, ...properties } = envelope.message;
  return {
    id: envelope.id,
    queueName: envelope.queueName,
    payload: payloadValue(payload),
    ...(payload instanceof Uint8Array ? { payloadEncoding: 'base64' } : undefined),
    ...properties,
    priority: envelope.priority,
    timestamp: envelope.timestamp,
    availableAt: envelope.availableAt,
    expiresAt: envelope.expiresAt,
    state: envelope.state,
    retryCount: envelope.retryCount,
    deliveryCount: envelope.deliveryCount,
    deaths: envelope.deaths,
    parked: envelope.parked,
    lease: envelope.lease,
    publishId: envelope.publishId,
  };
}
