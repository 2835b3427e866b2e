import { isAllowed } from '../../../../access/permissions.ts';
import { ThingNotFoundError } from '../../../../protocols/http/errors.ts';
import type { AmqpConnection, AmqpVhostSide } from '../../../../protocols/management/amqp-side.ts';
import {
  channelRow,
  connectionName,
  connectionRow,
  consumerRow,
} from '../../../../protocols/management/connection-rows.ts';
import {
  listed,
  listedSchema,
  listQuery,
  type Row,
  rowSchema,
  rowsSchema,
} from '../../../../protocols/management/listing.ts';
import { namedParams } from '../../../../protocols/management/requests.ts';
import { type Call, defineRoute, type Route, type Rule } from '../../route.ts';
import { amqpOf, listenerOf, MANAGEMENT } from './common.ts';
import { listRoutes } from './lists.ts';

/** Who may not administer the broker sees what is its own. */
const own: Rule = { kind: 'authenticated' };
const one = { ...MANAGEMENT, url: '/connections/:name', params: namedParams, rule: own } as const;

const FORCED = 'closed via the management API';

export const managementConnectionRoutes: readonly Route[] = [
  defineRoute({
    ...MANAGEMENT,
    id: 'managementConnections',
    method: 'GET',
    url: '/connections',
    summary: 'AMQP connections of this broker',
    description: 'Those of the caller; all of them for an administrator.',
    rule: own,
    query: listQuery,
    responses: { 200: listedSchema },
    handler: (call) => {
      const listener = listenerOf(call.broker);
      return listed(
        seenConnections(call).map((connection) => connectionRow(connection, listener)),
        call.query,
      );
    },
  }),
  defineRoute({
    ...one,
    id: 'managementConnection',
    method: 'GET',
    summary: 'An AMQP connection',
    responses: { 200: rowSchema },
    problems: ['CONNECTION_NOT_FOUND'],
    handler: (call) => connectionRow(connectionOf(call), listenerOf(call.broker)),
  }),
  defineRoute({
    ...one,
    id: 'managementCloseConnection',
    method: 'DELETE',
    summary: 'Close an AMQP connection',
    description: 'The header `X-Reason` is told to its client.',
    headers: { 'x-reason': 'Why.' },
    responses: { 204: null },
    problems: ['CONNECTION_NOT_FOUND'],
    handler: (call) => {
      const { id } = connectionOf(call);
      const reason = call.request.headers['x-reason'];
      const told = typeof reason === 'string' && reason !== '' ? reason.slice(0, 200) : FORCED;
      amqpOf(call.broker).closeConnection(id, told);
      return call.reply.status(204).send();
    },
  }),
  defineRoute({
    ...one,
    url: `${one.url}/channels`,
    id: 'managementConnectionChannels',
    method: 'GET',
    summary: 'The channels of an AMQP connection',
    responses: { 200: rowsSchema },
    problems: ['CONNECTION_NOT_FOUND'],
    handler: (call) => channelRows(call, [connectionOf(call)]),
  }),
  defineRoute({
    ...MANAGEMENT,
    id: 'managementChannels',
    method: 'GET',
    url: '/channels',
    summary: 'AMQP channels of this broker',
    description: 'Those of the caller; all of them for an administrator.',
    rule: own,
    query: listQuery,
    responses: { 200: listedSchema },
    handler: (call) => listed(channelRows(call, seenConnections(call)), call.query),
  }),
  ...listRoutes('Consumers', consumerRows, 'Of queues that the caller may read.'),
];

/** Those of the caller; all of them for an administrator. */
export function seenConnections({
  broker,
  identity,
}: Pick<Call, 'broker' | 'identity'>): AmqpConnection[] {
  const all = amqpOf(broker).connections();
  if (identity.admin) return all;
  if (identity.kind !== 'user') return [];
  return all.filter(({ user, userKind }) => userKind === 'user' && user === identity.name);
}

/** @throws ThingNotFoundError */
function connectionOf(call: Call<{ name: string }>): AmqpConnection {
  const { name } = call.params;
  const listener = listenerOf(call.broker);
  const found = seenConnections(call).find(
    (connection) => connection.id === name || connectionName(connection, listener) === name,
  );
  if (found !== undefined) return found;
  throw new ThingNotFoundError('CONNECTION', `Connection '${name}' is not open.`);
}

function channelRows({ broker }: Call, connections: readonly AmqpConnection[]): Row[] {
  const listener = listenerOf(broker);
  return connections.flatMap((connection) =>
    connection.channels.map((channel) => channelRow(channel, connection, listener)),
  );
}

function consumerRows({ broker, identity }: Call, side: AmqpVhostSide, vhost: string): Row[] {
  const listener = listenerOf(broker);
  const connections = new Map(
    amqpOf(broker)
      .connections()
      .map((each) => [each.id, each]),
  );
  return side
    .consumers()
    .filter(({ queue }) => isAllowed(identity, vhost, 'read', queue))
    .map((consumer) => {
      const connection = connections.get(consumer.connectionId);
      return consumerRow(consumer, { connection, vhost }, listener);
    });
}
