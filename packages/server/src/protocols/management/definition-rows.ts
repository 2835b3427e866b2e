import { createHash } from 'node:crypto';
import type { QueueInfo, QueueSettings } from 'wherry';
import type { AmqpBinding, AmqpExchange, AmqpQueue, PlainTable } from './amqp-side.ts';
import type { Row } from './listing.ts';

/** How RabbitMQ's API shows how fast something grows. */
function withRate(name: string, count: number, rate: number): Row {
  return { [name]: count, [`${name}_details`]: { rate: Math.round(rate * 100) / 100 } };
}

/** What happened to messages of some queues, by this broker since it was started. */
export function messageStats(infos: readonly Pick<QueueInfo, 'counters' | 'rates'>[]): Row {
  const stat = (name: string, counter: keyof QueueInfo['counters']): Row => {
    const sum = (of: 'counters' | 'rates'): number =>
      infos.reduce((total, info) => total + info[of][counter], 0);
    return withRate(name, sum('counters'), sum('rates'));
  };
  return {
    ...stat('publish', 'enqueued'),
    ...stat('deliver_get', 'delivered'),
    ...stat('ack', 'acknowledged'),
  };
}

/** How many messages some queues hold. */
export function messageCounts(infos: readonly Pick<QueueInfo, 'ready' | 'leased'>[]): Row {
  const ready = infos.reduce((total, info) => total + info.ready, 0);
  const unacknowledged = infos.reduce((total, info) => total + info.leased, 0);
  return {
    ...withRate('messages', ready + unacknowledged, 0),
    ...withRate('messages_ready', ready, 0),
    ...withRate('messages_unacknowledged', unacknowledged, 0),
  };
}

export interface QueueRowParts {
  readonly queue: AmqpQueue;
  readonly info: QueueInfo;
  readonly vhost: string;
  readonly node: string;
}

/** A queue as `GET /api/queues` shows it. */
export function queueRow({ queue, info, vhost, node }: QueueRowParts): Row {
  return {
    name: queue.name,
    vhost,
    type: queue.type,
    durable: queue.durable,
    auto_delete: queue.autoDelete,
    exclusive: queue.exclusive,
    arguments: queue.arguments,
    node,
    state: 'running',
    policy: null,
    operator_policy: null,
    effective_policy_definition: {},
    consumers: info.consumerCount,
    ...messageCounts([info]),
    // Ours: messages that are due later, of which RabbitMQ does not tell.
    messages_scheduled: info.scheduled,
    message_bytes: info.bytes,
    message_stats: messageStats([info]),
  };
}

/** An exchange as `GET /api/exchanges` shows it. */
export function exchangeRow(exchange: AmqpExchange, vhost: string): Row {
  const { name, type, durable, autoDelete, internal } = exchange;
  return {
    name,
    vhost,
    type,
    durable,
    auto_delete: autoDelete,
    internal,
    arguments: exchange.arguments,
  };
}

/** The exchange that every queue is bound to by its name. */
export const DEFAULT_EXCHANGE_SHOWN: AmqpExchange = {
  name: '',
  type: 'direct',
  durable: true,
  autoDelete: false,
  internal: false,
  arguments: {},
};

/** What every queue has with the default exchange. */
export function defaultBinding(queue: string): AmqpBinding {
  return {
    source: '',
    destination: queue,
    destinationType: 'queue',
    routingKey: queue,
    arguments: {},
  };
}

/** A binding as `GET /api/bindings` shows it. */
export function bindingRow(binding: AmqpBinding, vhost: string): Row {
  return {
    source: binding.source,
    vhost,
    destination: binding.destination,
    destination_type: binding.destinationType,
    routing_key: binding.routingKey,
    arguments: binding.arguments,
    properties_key: propertiesKey(binding),
  };
}

/** Tells a binding from others between the same two ends. In a path it stands percent-encoded. */
export function propertiesKey({ routingKey, arguments: table }: AmqpBinding): string {
  const key = encodeURIComponent(routingKey);
  if (Object.keys(table).length === 0) return key === '' ? '~' : key;
  const digest = createHash('sha256').update(JSON.stringify(table)).digest('base64url');
  return `${key}~${digest.slice(0, 8)}`;
}

/** @param given of a path: as it is shown, or decoded, as those who forget to encode it send it */
export function hasPropertiesKey(binding: AmqpBinding, given: string): boolean {
  const key = propertiesKey(binding);
  return key === given || decodeURIComponent(key) === given;
}

/**
 * What AMQP would have had to declare for a queue that our own API has made: for a definitions file.
 * What it has no argument for is left out.
 */
export function argumentsOf(settings: QueueSettings): PlainTable {
  const { maxSize, maxBytes, overflow, messageTtl, expiresAfterIdle } = settings;
  const { deadLetterExchange, deadLetterRoutingKey, deadLetterQueue, maxPriority } = settings;
  const exchange = deadLetterQueue === null ? deadLetterExchange : '';
  const key = deadLetterQueue ?? deadLetterRoutingKey;
  const isBounded = maxSize !== null || maxBytes !== null;
  return {
    ...(messageTtl !== null && { 'x-message-ttl': messageTtl }),
    ...(expiresAfterIdle !== null && { 'x-expires': expiresAfterIdle }),
    ...(maxSize !== null && { 'x-max-length': maxSize }),
    ...(maxBytes !== null && { 'x-max-length-bytes': maxBytes }),
    ...(isBounded && overflow !== 'drop-oldest' && { 'x-overflow': 'reject-publish' }),
    ...(exchange !== null && { 'x-dead-letter-exchange': exchange }),
    ...(exchange !== null && key !== null && { 'x-dead-letter-routing-key': key }),
    ...(maxPriority !== null && maxPriority > 0 && { 'x-max-priority': maxPriority }),
  };
}
