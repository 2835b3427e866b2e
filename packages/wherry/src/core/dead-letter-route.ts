import { contentOrNull, propertiesOf } from './amqp-content.ts';
import { readCopies } from './amqp-properties.ts';
import type { StoredMessage } from './driver.ts';
import { ExchangeNotFoundError } from './errors.ts';
import type { Headers, NewDeath } from './message.ts';
import type { Queue } from './queue.ts';
import type { Topology } from './topology.ts';

/** Where a message was published: what a router goes by. */
interface Published {
  readonly exchange: string;
  readonly routingKeys: readonly string[];
}

/** What of a message says where it goes when it dies. */
export type Mortal = Pick<
  StoredMessage,
  'encoding' | 'body' | 'properties' | 'queueName' | 'deaths'
>;

/**
 * Where a queue's dead-letter exchange takes a message, and how that is remembered. An exchange that
 * is not there takes it nowhere, as in RabbitMQ.
 */
export function routeDead(
  topology: Topology,
  queue: Queue,
  message: Mortal,
  death: NewDeath,
): { readonly to: readonly string[]; readonly death: NewDeath } {
  const { deadLetterExchange, deadLetterRoutingKey } = queue.settings;
  const { exchange, routingKeys } = publishedTo(message);
  const toExchange = deadLetterExchange ?? '';
  const toRoutingKeys = deadLetterRoutingKey === null ? routingKeys : [deadLetterRoutingKey];
  const headers = propertiesOf(message)?.headers ?? null;
  const to = routed(topology, toExchange, toRoutingKeys, headers).filter(
    (name) => !closesCircle(message, death, name),
  );
  const route = { exchange, routingKeys, toExchange, toRoutingKeys };
  return { to, death: { ...death, route } };
}

function routed(
  { router }: Topology,
  exchange: string,
  keys: readonly string[],
  headers: Headers | null,
): readonly string[] {
  try {
    return router.routeWithin(exchange, keys, headers).queues;
  } catch (error) {
    if (error instanceof ExchangeNotFoundError) return [];
    throw error;
  }
}

/** The last death says by which exchange it came; before that, the client who sent it. */
function publishedTo(message: Mortal): Published {
  const last = message.deaths.findLast(({ route }) => route !== undefined)?.route;
  if (last !== undefined) return { exchange: last.toExchange, routingKeys: last.toRoutingKeys };
  const content = message.encoding === 'amqp' ? contentOrNull(message.body) : null;
  if (content === null) return { exchange: '', routingKeys: [message.queueName] };
  const { exchange, routingKey, properties } = content;
  return { exchange, routingKeys: [routingKey, ...readCopies(properties)] };
}

/**
 * Whether the message would come back to a queue in which it died, without anybody having ever
 * rejected it: it would go round for ever (as in RabbitMQ, such a message is dropped).
 */
function closesCircle(message: Mortal, death: NewDeath, target: string): boolean {
  if (death.reason === 'rejected') return false;
  if (message.deaths.some(({ reason }) => reason === 'rejected')) return false;
  return target === death.queue || message.deaths.some(({ queue }) => queue === target);
}
