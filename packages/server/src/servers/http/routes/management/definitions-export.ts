import { permissionRow, userRow } from '../../../../protocols/management/access-rows.ts';
import type { AmqpQueue, PlainTable } from '../../../../protocols/management/amqp-side.ts';
import {
  argumentsOf,
  bindingRow,
  exchangeRow,
} from '../../../../protocols/management/definition-rows.ts';
import { RABBITMQ_VERSION } from '../../../../protocols/management/definitions.ts';
import type { Row } from '../../../../protocols/management/listing.ts';
import type { BrokerContext } from '../../context.ts';
import { vhostSide } from './common.ts';

/** What no reader of such a file misses, and people should know. */
const NOTES = [
  'Users come without passwords: those hashes are of no use elsewhere. Give each a new one.',
  'Delayed and waiting messages, schedules and tokens are not a part of definitions.',
];

/** All of a broker's definitions, in RabbitMQ's form. */
export async function exportAll(broker: BrokerContext): Promise<Row> {
  const users = broker.access.accounts.listUsers();
  const names = broker.vhosts.names();
  const parts = await Promise.all(names.map((name) => partsOf(broker, name)));
  return {
    rabbit_version: RABBITMQ_VERSION,
    rabbitmq_version: RABBITMQ_VERSION,
    product_name: 'Wherry',
    product_version: broker.version,
    notes: NOTES,
    users: users.map(userRow),
    vhosts: names.map((name) => {
      const description = broker.vhosts.descriptionOf(name);
      return { name, ...(description !== '' && { description }) };
    }),
    permissions: users.flatMap(({ name, permissions }) =>
      permissions.map((permission) => permissionRow(name, permission)),
    ),
    topic_permissions: [],
    parameters: [],
    global_parameters: [],
    policies: [],
    queues: parts.flatMap(({ queues }) => queues),
    exchanges: parts.flatMap(({ exchanges }) => exchanges),
    bindings: parts.flatMap(({ bindings }) => bindings),
  };
}

/** Those of one virtual host, which do not say its name. */
export async function exportVhost(broker: BrokerContext, vhost: string): Promise<Row> {
  const parts = await partsOf(broker, vhost);
  const nameless = (rows: readonly Row[]): Row[] => rows.map(({ vhost: _vhost, ...rest }) => rest);
  return {
    rabbit_version: RABBITMQ_VERSION,
    parameters: [],
    policies: [],
    queues: nameless(parts.queues),
    exchanges: nameless(parts.exchanges),
    bindings: nameless(parts.bindings),
  };
}

interface Parts {
  readonly queues: readonly Row[];
  readonly exchanges: readonly Row[];
  readonly bindings: readonly Row[];
}

async function partsOf(broker: BrokerContext, vhost: string): Promise<Parts> {
  const side = await vhostSide(broker, vhost);
  const own = broker.vhosts.find(vhost)?.deadLetterQueue.queueName;
  // What belongs to a connection ends with it; and every broker has a dead-letter queue of its own.
  const queues = side
    .queues()
    .filter(({ exclusive, isDeclared, name }) => !exclusive && (isDeclared || name !== own));
  const kept = new Set(queues.map(({ name }) => name));
  return {
    queues: queues.map((queue) => ({
      name: queue.name,
      vhost,
      durable: queue.durable,
      auto_delete: queue.autoDelete,
      arguments: declaredArguments(broker, vhost, queue),
    })),
    exchanges: side
      .exchanges()
      .filter(({ name }) => !name.startsWith('amq.'))
      .map((exchange) => exchangeRow(exchange, vhost)),
    bindings: side
      .bindings()
      .filter(({ destination, destinationType }) =>
        destinationType === 'queue' ? kept.has(destination) : true,
      )
      .map((binding) => {
        const { properties_key: _key, ...row } = bindingRow(binding, vhost);
        return row;
      }),
  };
}

/** Of a queue that our own API has made, what AMQP would say for its settings. */
function declaredArguments({ vhosts }: BrokerContext, vhost: string, queue: AmqpQueue): PlainTable {
  if (queue.isDeclared) return queue.arguments;
  const mq = vhosts.find(vhost);
  return mq === undefined ? {} : argumentsOf(mq.getQueue(queue.name).settings);
}
