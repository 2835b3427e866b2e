/**
 * A message as an AMQP 0-9-1 client published it, which is how it is stored (encoding 'amqp'), so that
 * it comes out as it went in:
 *
 *      0  format        u8    CONTENT_FORMAT
 *      1  exchange      short string (u8 length, UTF-8): where it was published
 *         routing key   short string
 *         length        u32   of the properties
 *         properties    as in a content header frame (section 4.2.6.1): flags, then what they name
 *         payload       the rest
 *
 * Whoever consumes it otherwise gets of it what a message has: {@link propertiesOf}, {@link payloadOf}.
 */
import { readProperties } from './amqp-properties.ts';
import type { MessageProperties, NewMessage, StoredMessage } from './driver.ts';
import { DeserializationError } from './errors.ts';
import { decodePayload } from './payload.ts';

const CONTENT_FORMAT = 1;
const SHORT_MAX = 255;
const LENGTH_BYTES = 4;

/** What a stored body of encoding 'amqp' holds. */
export interface AmqpContent {
  /** Where it was published; '' is the default exchange. */
  readonly exchange: string;
  readonly routingKey: string;
  /** As in a content header frame; a view of the body. */
  readonly properties: Buffer;
  /** A view of the body. */
  readonly payload: Buffer;
}

/**
 * Makes room for a content whose payload is about to come.
 * @param exchange at most 255 bytes @param routingKey at most 255 bytes
 * @param properties copied
 * @param payloadLength bytes
 * @returns the body, and where in it the payload begins
 */
export function allocateContent(
  exchange: string,
  routingKey: string,
  properties: Uint8Array,
  payloadLength: number,
): { readonly body: Buffer; readonly payloadAt: number } {
  const exchangeLength = Buffer.byteLength(exchange);
  const keyLength = Buffer.byteLength(routingKey);
  if (exchangeLength > SHORT_MAX || keyLength > SHORT_MAX) {
    throw new RangeError(`The exchange or the routing key is longer than ${SHORT_MAX} bytes.`);
  }
  const payloadAt = 3 + exchangeLength + keyLength + LENGTH_BYTES + properties.length;
  const body = Buffer.allocUnsafe(payloadAt + payloadLength);
  body[0] = CONTENT_FORMAT;
  body[1] = exchangeLength;
  body.write(exchange, 2);
  let at = 2 + exchangeLength;
  body[at] = keyLength;
  body.write(routingKey, at + 1);
  at = body.writeUInt32BE(properties.length, at + 1 + keyLength);
  body.set(properties, at);
  return { body, payloadAt };
}

/** Where in a stored body its parts are. */
interface ContentPlaces {
  /** Exchange and routing key, as short strings one behind the other. */
  readonly addressAt: number;
  readonly addressEnd: number;
  readonly propertiesAt: number;
  /** Where the properties end, too. */
  readonly payloadAt: number;
}

/** @throws DeserializationError when the body is no content */
export function placesIn(body: Buffer): ContentPlaces {
  const exchangeEnd = 2 + (body[1] ?? 0);
  const addressEnd = exchangeEnd + 1 + (body[exchangeEnd] ?? 0);
  const propertiesAt = addressEnd + LENGTH_BYTES;
  if (body[0] !== CONTENT_FORMAT || propertiesAt > body.length) throw notContent();
  const payloadAt = propertiesAt + body.readUInt32BE(addressEnd);
  if (payloadAt > body.length) throw notContent();
  return { addressAt: 1, addressEnd, propertiesAt, payloadAt };
}

/**
 * Takes a content apart.
 * @returns views of `body`, no copies
 * @throws DeserializationError when it is none
 */
export function readContent(body: Uint8Array): AmqpContent {
  // Who made it need not have kept to the types.
  if (!(body instanceof Uint8Array)) throw notContent();
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const { addressAt, addressEnd, propertiesAt, payloadAt } = placesIn(bytes);
  const exchangeAt = addressAt + 1;
  const exchangeEnd = exchangeAt + bytes[addressAt]!;
  return {
    exchange: bytes.toString('utf8', exchangeAt, exchangeEnd),
    routingKey: bytes.toString('utf8', exchangeEnd + 1, addressEnd),
    properties: bytes.subarray(propertiesAt, payloadAt),
    payload: bytes.subarray(payloadAt),
  };
}

/** What an AMQP client says of a message beside its content. Durations in milliseconds. */
export interface AmqpMessageOptions {
  /** 0 to 255. */
  readonly priority?: number;
  readonly ttl?: number | null;
  readonly delay?: number;
  readonly deduplicationId?: string | null;
}

/**
 * A message to be stored. Its payload alone counts towards `maxBytes`, as in RabbitMQ.
 * @param body of {@link allocateContent}, filled @param payloadAt where the payload begins in it
 */
export function newAmqpMessage(
  body: Buffer,
  payloadAt: number,
  options: AmqpMessageOptions = {},
): NewMessage {
  const { priority = 0, ttl = null, delay = 0, deduplicationId = null } = options;
  return {
    encoding: 'amqp',
    body,
    bytes: body.length - payloadAt,
    properties: null,
    priority,
    delay,
    deliverAt: null,
    ttl,
    groupId: null,
    deduplicationId,
  };
}

/** A message's properties, whoever sent it. What cannot be read of an AMQP client's is left out. */
export function propertiesOf(
  stored: Pick<StoredMessage, 'encoding' | 'body' | 'properties'>,
): MessageProperties | null {
  if (stored.encoding !== 'amqp') return stored.properties;
  const content = contentOrNull(stored.body);
  return content === null ? null : readProperties(content.properties);
}

/** For whoever has to go on without it. @returns null when the body is no content */
export function contentOrNull(body: string | Uint8Array): AmqpContent | null {
  try {
    return readContent(body as Uint8Array);
  } catch (error) {
    if (error instanceof DeserializationError) return null;
    throw error;
  }
}

/**
 * The payload that was sent. Of an AMQP client's message its content type says what it is: a JSON
 * value, a text, or bytes; bytes too when it is not what it says.
 * @throws DeserializationError when the stored body makes no sense
 */
export function payloadOf(stored: Pick<StoredMessage, 'encoding' | 'body'>): unknown {
  if (stored.encoding !== 'amqp') return decodePayload(stored.encoding, stored.body);
  const { properties, payload } = readContent(stored.body as Uint8Array);
  const { contentType = '' } = readProperties(properties);
  const [mediaType = ''] = contentType.toLowerCase().split(';');
  const isJson = /^application\/([^/]+\+)?json\s*$/.test(mediaType);
  if (!isJson && !mediaType.startsWith('text/')) return payload;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(payload);
    return isJson ? (JSON.parse(text) as unknown) : text;
  } catch {
    return payload;
  }
}

function notContent(): DeserializationError {
  return new DeserializationError('The stored body is no AMQP content.');
}
