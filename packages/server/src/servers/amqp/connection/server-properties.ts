import { type Table, tableOf } from '../../../protocols/amqp/table.ts';
import type { AmqpContext } from '../contracts.ts';

/** What clients may use without asking for it. */
const CAPABILITIES = [
  'publisher_confirms',
  'exchange_exchange_bindings',
  'basic.nack',
  'consumer_cancel_notify',
  'connection.blocked',
  'consumer_priorities',
  'authentication_failure_close',
  'per_consumer_qos',
  'direct_reply_to',
] as const;

/** @returns what the broker says of itself to whoever connects */
export function serverProperties({ config, version }: AmqpContext): Table {
  return tableOf({
    capabilities: Object.fromEntries(CAPABILITIES.map((name) => [name, true])),
    cluster_name: 'wherry',
    copyright: 'Wherry contributors',
    information: 'Licensed under the MIT license.',
    platform: 'Node.js',
    product: config.amqp.product,
    version,
  });
}
