import { type AmqpContent, type Death, type StoredMessage, readContent } from 'wherry';
import { replaceProperties, scanProperties } from '../../../protocols/amqp/properties.ts';
import { type FieldValue, type Table, decodeTable } from '../../../protocols/amqp/table.ts';
import { deadHeaders, sorted } from './death-headers.ts';
import { foreignContent } from './foreign-message.ts';

/**
 * What an AMQP client gets of a stored message, whoever sent it.
 * @param countsDeliveries whether it is told how often it has had the message (quorum queues)
 * @returns views of the stored bytes, unless something has to be added to the properties
 * @throws DeserializationError when the stored body makes no sense
 */
export function contentOf(stored: StoredMessage, countsDeliveries: boolean): AmqpContent {
  let content =
    stored.encoding === 'amqp' ? readContent(stored.body as Uint8Array) : foreignContent(stored);
  if (stored.deaths.length > 0) content = buried(content, stored.deaths);
  return countsDeliveries ? counted(content, stored.deliveryCount - 1) : content;
}

/** Whether nothing has to be added to a message, or taken from it, before an AMQP client gets it. */
export function isAsPublished({ body, deaths, encoding }: StoredMessage): boolean {
  return encoding === 'amqp' && deaths.length === 0 && Buffer.isBuffer(body);
}

/** Where the last death has sent it, with the record of all of them. */
function buried(content: AmqpContent, deaths: readonly Death[]): AmqpContent {
  const { expiration } = scanProperties(content.properties);
  const headers = deadHeaders({ expiration, headers: headersOf(content) }, deaths, content);
  const route = deaths.findLast((death) => death.route !== undefined)?.route;
  return {
    exchange: route === undefined ? content.exchange : route.toExchange,
    routingKey: route === undefined ? content.routingKey : (route.toRoutingKeys[0] ?? ''),
    properties: replaceProperties(content.properties, { headers, expiration: null }),
    payload: content.payload,
  };
}

/** With the header that quorum queues add to each delivery. */
function counted(content: AmqpContent, count: number): AmqpContent {
  const { exchange, routingKey, properties, payload } = content;
  const headers = new Map<string, FieldValue>(headersOf(content));
  headers.set('x-delivery-count', { type: 'l', value: BigInt(count) });
  const written = replaceProperties(properties, { headers: sorted(headers) });
  return { exchange, routingKey, properties: written, payload };
}

function headersOf({ properties }: AmqpContent): Table {
  const { headersStart, headersEnd } = scanProperties(properties);
  return headersStart < 0 ? new Map() : decodeTable(properties, headersStart, headersEnd);
}
