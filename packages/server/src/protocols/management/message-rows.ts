import { isUtf8 } from 'node:buffer';
import type { AmqpMessage } from './amqp-side.ts';
import type { Row } from './listing.ts';

export interface MessageRowOptions {
  /** 'auto': as text where it is one. */
  readonly encoding: 'auto' | 'base64';
  /** Bytes of the payload to show. */
  readonly truncate: number;
  /** Messages that were still ready behind it. */
  readonly behind: number;
}

/** A message as `POST /api/queues/…/get` shows it. */
export function messageRow(
  { exchange, routingKey, redelivered, properties, payload }: AmqpMessage,
  { encoding, truncate, behind }: MessageRowOptions,
): Row {
  const shown = payload.subarray(0, Math.min(payload.length, truncate));
  const isText = encoding === 'auto' && isUtf8(shown);
  return {
    payload_bytes: payload.length,
    redelivered,
    exchange,
    routing_key: routingKey,
    message_count: behind,
    properties,
    payload: shown.toString(isText ? 'utf8' : 'base64'),
    payload_encoding: isText ? 'string' : 'base64',
  };
}
