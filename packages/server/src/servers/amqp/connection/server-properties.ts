import { type Table, tableOf } from '../../../protocols/amqp/table.ts';
import { RABBITMQ_VERSION } from '../../../protocols/management/definitions.ts';
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

/**
 * Clients choose by the product and its version what they may ask for: what kombu does not take for
 * RabbitMQ gets another `basic.qos`, with which a Celery worker that holds back tasks takes no more.
 * @returns what the broker says of itself to whoever connects
 */
export function serverProperties({ config, version }: AmqpContext): Table {
  const { product } = config.amqp;
  return tableOf({
    capabilities: Object.fromEntries(CAPABILITIES.map((name) => [name, true])),
    cluster_name: 'wherry',
    copyright: 'Wherry contributors',
    information: `Wherry ${version}. Licensed under the MIT license.`,
    platform: 'Node.js',
    product,
    version: product === 'RabbitMQ' ? RABBITMQ_VERSION : version,
  });
}
