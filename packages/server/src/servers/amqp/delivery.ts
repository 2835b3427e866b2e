import { type AmqpContent, type Death, type StoredMessage, readContent } from 'wherry';
import {
  decodeProperties,
  encodeProperties,
  replaceHeaders,
  scanProperties,
} from '../../protocols/amqp/properties.ts';
import { type FieldValue, decodeTable } from '../../protocols/amqp/table.ts';
import { sorted, withDeaths } from './death-headers.ts';
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

/** Where the last death has sent it, with the record of all of them. */
function buried(content: AmqpContent, deaths: readonly Death[]): AmqpContent {
  const properties = withDeaths(decodeProperties(content.properties), deaths, content);
  const route = deaths.findLast((death) => death.route !== undefined)?.route;
  return {
    exchange: route === undefined ? content.exchange : route.toExchange,
    routingKey: route === undefined ? content.routingKey : (route.toRoutingKeys[0] ?? ''),
    properties: encodeProperties(properties),
    payload: content.payload,
  };
}

/** With the header that quorum queues add to each delivery. */
function counted(content: AmqpContent, count: number): AmqpContent {
  const { exchange, routingKey, properties, payload } = content;
  const { headersStart, headersEnd } = scanProperties(properties);
  const headers: Map<string, FieldValue> =
    headersStart < 0 ? new Map() : decodeTable(properties, headersStart, headersEnd);
  headers.set('x-delivery-count', { type: 'l', value: BigInt(count) });
  const written = replaceHeaders(properties, sorted(headers));
  return { exchange, routingKey, properties: written, payload };
}
