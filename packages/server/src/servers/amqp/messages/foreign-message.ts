import type { AmqpContent, MessageProperties, PayloadEncoding, StoredMessage } from 'wherry';
import { encodeProperties } from '../../../protocols/amqp/properties.ts';
import { tableOf } from '../../../protocols/amqp/table.ts';

/** What a payload is when its sender has not said it. */
const CONTENT_TYPES: Readonly<Record<PayloadEncoding, string>> = {
  json: 'application/json',
  text: 'text/plain',
  bytes: 'application/octet-stream',
  amqp: 'application/octet-stream',
};

const SHORT_BYTES_MAX = 255;
const PERSISTENT = 2;
const PRIORITY_MAX = 255;

/** A message that was sent by the library or over HTTP, as if to the default exchange. */
export function foreignContent(stored: StoredMessage): AmqpContent {
  const { body, encoding, priority, properties, timestamp } = stored;
  const { contentType, correlationId, headers, messageId, replyTo } = fitting(properties ?? {});
  return {
    exchange: '',
    routingKey: stored.queueName,
    properties: encodeProperties({
      contentType: contentType ?? CONTENT_TYPES[encoding],
      ...(headers !== undefined && { headers: tableOf(headers) }),
      deliveryMode: PERSISTENT,
      ...(priority > 0 && { priority: Math.min(priority, PRIORITY_MAX) }),
      ...(correlationId !== undefined && { correlationId }),
      ...(replyTo !== undefined && { replyTo }),
      messageId: messageId ?? stored.id,
      timestamp: Math.floor(timestamp / 1_000),
    }),
    payload: typeof body === 'string' ? Buffer.from(body) : asBuffer(body),
  };
}

/** Without what is too long for AMQP, which has no other way of saying it. */
function fitting(properties: MessageProperties): MessageProperties {
  const isFitting = (value: unknown): boolean =>
    typeof value !== 'string' || Buffer.byteLength(value) <= SHORT_BYTES_MAX;
  const { headers, ...texts } = properties;
  const kept = Object.entries(texts).filter(([, value]) => isFitting(value));
  const keptHeaders = Object.entries(headers ?? {}).filter(([name]) => isFitting(name));
  return {
    ...(Object.fromEntries(kept) as MessageProperties),
    ...(keptHeaders.length > 0 && { headers: Object.fromEntries(keptHeaders) }),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
