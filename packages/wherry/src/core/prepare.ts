import { type MessageProperties, NEVER, type NewMessage } from './driver.ts';
import { type Duration, durationToMs } from './duration.ts';
import { ValidationError } from './errors.ts';
import { type Limits, checkFields, checkInteger, checkName, show, utf8Length } from './limits.ts';
import type { HeaderValue, Headers, Message } from './message.ts';
import { encodePayload } from './payload.ts';
import { RETRIES_MAX } from './queue-settings.ts';

const KNOWN_FIELDS: readonly (keyof Message)[] = [
  'payload',
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
];

/**
 * Checks a message and turns it into what a store takes. All normalisation happens here, once.
 * @throws ValidationError when a field is outside its limits
 * @throws SerializationError when the payload cannot be stored as it is
 */
export function prepareMessage(message: Message, limits: Limits): NewMessage {
  if (typeof message !== 'object' || message === null || !('payload' in message)) {
    throw new ValidationError(
      `A message is an object with a payload, such as { payload: … }; got ${show(message)}.`,
    );
  }
  const { encoding, body } = encodePayload(message.payload);
  const bodyBytes = typeof body === 'string' ? utf8Length(body) : body.byteLength;
  if (bodyBytes > limits.payloadBytes) {
    throw new ValidationError(
      `The payload is ${bodyBytes} bytes; at most ${limits.payloadBytes} are allowed. ` +
        'Send a reference to where the data is, or raise limits.payloadBytes at open.',
    );
  }
  const plain = onlyPayload(message);
  const properties = plain ? null : prepareProperties(message, limits);
  return {
    encoding,
    body,
    bytes: bodyBytes + (properties === null ? 0 : utf8Length(JSON.stringify(properties))),
    properties,
    priority: plain ? 0 : checkInteger(message.priority ?? 0, 'priority', 0, 255),
    delay: plain ? 0 : delayOf(message),
    deliverAt: plain ? null : deliverAtOf(message),
    ttl: plain ? null : ttlOf(message),
    groupId: plain ? null : optionalName(message.groupId, 'groupId'),
    deduplicationId: plain ? null : optionalName(message.deduplicationId, 'deduplicationId'),
    ...(!plain && message.deduplication !== undefined && deduplicationOf(message)),
  };
}

/** The usual message has nothing but a payload: it skips every other check. */
function onlyPayload(message: Message): boolean {
  for (const key in message) {
    if (key === 'payload') continue;
    checkFields(message, KNOWN_FIELDS, 'A message');
    return false;
  }
  return true;
}

function prepareProperties(message: Message, limits: Limits): MessageProperties | null {
  const properties: Record<string, unknown> = {};
  copyText(properties, message, 'contentType');
  copyText(properties, message, 'correlationId');
  copyText(properties, message, 'replyTo');
  copyText(properties, message, 'messageId');
  if (message.headers !== undefined) properties['headers'] = checkHeaders(message.headers, limits);
  if (message.maxRetries !== undefined) {
    properties['maxRetries'] = checkInteger(message.maxRetries, 'maxRetries', 0, RETRIES_MAX);
  }
  if (Object.keys(properties).length === 0) return null;
  const bytes = utf8Length(JSON.stringify(properties));
  if (bytes > limits.headerBytes) {
    throw new ValidationError(
      `The headers and properties are ${bytes} bytes; at most ${limits.headerBytes} are allowed. ` +
        'Put large values into the payload, or raise limits.headerBytes at open.',
    );
  }
  return properties;
}

function copyText(
  to: Record<string, unknown>,
  message: Message,
  field: 'contentType' | 'correlationId' | 'replyTo' | 'messageId',
): void {
  const value: unknown = message[field];
  if (value === undefined) return;
  if (typeof value !== 'string' || !value.isWellFormed()) {
    throw new ValidationError(`${field} is ${show(value)}; it must be a string.`);
  }
  to[field] = value;
}

function checkHeaders(headers: Headers, limits: Limits): Headers {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw new ValidationError(`headers is ${show(headers)}; it must be an object.`);
  }
  const entries = Object.entries(headers).filter(([, value]) => value !== undefined);
  if (entries.length > limits.headerCount) {
    throw new ValidationError(
      `The message has ${entries.length} headers; at most ${limits.headerCount} are allowed.`,
    );
  }
  for (const [key, value] of entries) {
    checkName(key, 'a header name');
    const kind = typeof value;
    const ok =
      value === null ||
      (kind === 'string' && (value as string).isWellFormed()) ||
      kind === 'boolean' ||
      (kind === 'number' && Number.isFinite(value));
    if (!ok) {
      throw new ValidationError(
        `Header '${key}' is ${show(value)}; it must be a string, a finite number, a boolean or null.`,
      );
    }
  }
  // fromEntries defines '__proto__' as a field like any other, which assignment would not.
  return Object.fromEntries<HeaderValue>(entries);
}

function optionalName(value: string | undefined, what: string): string | null {
  return value === undefined ? null : checkName(value, what);
}

function optionalDuration(value: Duration | undefined, what: string): number | null {
  return value === undefined ? null : durationToMs(value, what);
}

function delayOf(message: Message): number {
  if (message.delay !== undefined && message.deliverAt !== undefined) {
    throw new ValidationError('delay and deliverAt exclude each other; give one of them.');
  }
  return optionalDuration(message.delay, 'delay') ?? 0;
}

function ttlOf(message: Message): number | null {
  const ttl = optionalDuration(message.ttl, 'ttl');
  if (ttl === 0) throw new ValidationError('ttl is 0; it must be at least 1 ms.');
  return ttl;
}

function deduplicationOf(
  message: Message,
): Pick<NewMessage, 'deduplicationId' | 'deduplicationWindow' | 'keepLast'> {
  const { deduplication, deduplicationId, groupId } = message;
  checkFields(deduplication, ['id', 'mode', 'window'], 'deduplication');
  const { id, mode, window } = deduplication as { id: string; mode: unknown; window?: Duration };
  if (deduplicationId !== undefined) {
    throw new ValidationError(
      'deduplicationId and deduplication exclude each other; give the id in one of them.',
    );
  }
  checkName(id, 'deduplication.id');
  if (mode === 'throttle') {
    const ms = durationToMs(window as Duration, 'deduplication.window');
    if (ms > 0) return { deduplicationId: id, deduplicationWindow: ms };
    throw new ValidationError(
      'deduplication.window is 0; it must be at least 1 ms. Leave deduplication out to send each.',
    );
  }
  if (mode !== 'keep-last') {
    throw new ValidationError(
      `deduplication.mode is ${show(mode)}; it must be 'throttle' or 'keep-last'.`,
    );
  }
  if (window !== undefined) {
    throw new ValidationError(
      "deduplication.window goes with mode 'throttle': 'keep-last' has none, it ends with the delivery.",
    );
  }
  if (groupId !== undefined) {
    throw new ValidationError(
      "A message with deduplication mode 'keep-last' cannot have a groupId: what it replaces would " +
        "change its group's order. Leave one of them out.",
    );
  }
  return { deduplicationId: id, keepLast: true };
}

function deliverAtOf(message: Message): number | null {
  if (message.deliverAt === undefined) return null;
  const at = message.deliverAt instanceof Date ? message.deliverAt.getTime() : message.deliverAt;
  if (!Number.isFinite(at) || at < 0 || at >= NEVER) {
    throw new ValidationError(
      `deliverAt is ${show(message.deliverAt)}; it must be a Date or milliseconds since 1970, before the year 10000.`,
    );
  }
  return Math.round(at);
}
