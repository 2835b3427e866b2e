import * as z from 'zod';
import { timeSchema } from '../../../protocols/http/schemas/common.ts';
import { ThingNotFoundError } from '../../../protocols/http/errors.ts';
import type { AmqpConnection } from '../../../protocols/management/amqp-side.ts';
import type { BrokerContext } from '../context.ts';
import { defineRoute, type Route } from '../route.ts';

const consumerSchema = z
  .strictObject({
    id: z.string(),
    kind: z
      .enum(['push', 'poll', 'handler', 'amqp'])
      .describe(
        "A WebSocket, a request that waits, a handler in the broker's own process, or an AMQP consumer.",
      ),
    queue: z.string(),
    consumer: z.string().describe('The name that its leases carry.'),
    user: z.string().nullable(),
    remoteAddress: z.string().nullable(),
    since: timeSchema.nullable(),
    held: z.int().nullable().describe('Messages that it holds, where the broker knows.'),
    credit: z.int().nullable().describe('Messages that it can take yet; null: any number.'),
    prefetch: z
      .int()
      .nullable()
      .describe('Of AMQP: messages that it may have in hand; 0: any number; null: not AMQP.'),
  })
  .meta({ id: 'Consumer' });

const channelSchema = z
  .strictObject({
    number: z.int(),
    prefetch: z.int().describe('For each consumer that begins from now on; 0: any number.'),
    globalPrefetch: z.int().describe('For all consumers together; 0: any number.'),
    consumers: z.int(),
    unacknowledged: z.int().describe('Messages that its client has in hand.'),
    unconfirmed: z.int().describe('Messages that were published, and are not stored yet.'),
    isConfirm: z.boolean(),
    isTransactional: z.boolean(),
  })
  .meta({ id: 'AmqpChannel' });

const amqpSchema = z
  .strictObject({
    state: z
      .enum(['starting', 'running', 'blocked', 'closing'])
      .describe('blocked: it is not read, because an alarm forbids publishes.'),
    vhost: z.string().nullable().describe('null: it has opened none yet.'),
    name: z.string().nullable().describe('What its client calls it.'),
    heartbeat: z.int().describe('Seconds; 0: none.'),
    frameMax: z.int().describe('Bytes.'),
    tls: z.boolean(),
    channels: z.array(channelSchema),
  })
  .meta({ id: 'AmqpConnection' });

const connectionSchema = z
  .strictObject({
    id: z.string(),
    remoteAddress: z.string(),
    remotePort: z.int(),
    since: timeSchema,
    protocol: z.enum(['http', 'websocket', 'amqp']),
    user: z.string().nullable().describe('Who made the last request.'),
    userAgent: z.string().nullable(),
    requests: z.int(),
    bytesReceived: z.int(),
    bytesSent: z.int(),
    amqp: amqpSchema.nullable().describe('null: it speaks something else.'),
  })
  .meta({ id: 'Connection' });

export const consumerRoutes: readonly Route[] = [
  defineRoute({
    id: 'listConsumers',
    method: 'GET',
    url: '/consumers',
    scope: 'vhost',
    tag: 'consumers',
    summary: 'Who receives from the queues of this broker, now',
    description: 'Of queues that the caller may read.',
    rule: { kind: 'vhost' },
    responses: { 200: z.strictObject({ consumers: z.array(consumerSchema) }) },
    handler: async ({ broker, mq, vhost, services, allows }) => {
      const remote = services.receivers.list(vhost).map((receiver) => ({
        id: receiver.id,
        kind: receiver.kind,
        queue: receiver.queue,
        consumer: receiver.consumer,
        user: receiver.user,
        remoteAddress: receiver.remoteAddress,
        since: receiver.since,
        held: receiver.held(),
        credit: receiver.credit(),
        prefetch: null,
      }));
      const own = mq.consumerManager.listConsumers().map(({ id, queueName, stats }) => ({
        id,
        kind: 'handler' as const,
        queue: queueName,
        consumer: id,
        user: null,
        remoteAddress: null,
        since: null,
        held: stats.running + stats.buffered,
        credit: null,
        prefetch: null,
      }));
      const amqp = await amqpConsumers(broker, vhost);
      const all = [...remote, ...amqp, ...own];
      return { consumers: all.filter(({ queue }) => allows('read', queue)) };
    },
  }),
  defineRoute({
    id: 'listConnections',
    method: 'GET',
    url: '/connections',
    scope: 'global',
    tag: 'consumers',
    summary: 'The connections of this broker',
    rule: { kind: 'admin' },
    responses: { 200: z.strictObject({ connections: z.array(connectionSchema) }) },
    handler: ({ broker, services }) => ({
      connections: [
        ...services.connections.list().map((connection) => ({ ...connection, amqp: null })),
        ...(broker.amqp?.connections() ?? []).map(amqpConnection),
      ],
    }),
  }),
  defineRoute({
    id: 'closeConnection',
    method: 'DELETE',
    url: '/connections/:connection',
    scope: 'global',
    tag: 'consumers',
    summary: 'Cut a connection',
    rule: { kind: 'admin' },
    params: z.strictObject({ connection: z.string().max(20) }),
    responses: { 204: null },
    problems: ['CONNECTION_NOT_FOUND'],
    handler: ({ broker, services, params: { connection }, reply }) => {
      const isClosed =
        services.connections.close(connection) ||
        broker.amqp?.closeConnection(connection, 'An administrator has closed it.') === true;
      if (!isClosed) {
        throw new ThingNotFoundError('CONNECTION', `Connection '${connection}' is not open.`);
      }
      return reply.status(204).send();
    },
  }),
];

/** An AMQP connection among those of HTTP. */
function amqpConnection(connection: AmqpConnection): z.output<typeof connectionSchema> {
  const { product, version, tls, state, vhost, name, heartbeat, frameMax, channels } = connection;
  const { id, remoteAddress, remotePort, since, protocol, user } = connection;
  return {
    id,
    remoteAddress,
    remotePort,
    since,
    protocol,
    user,
    userAgent: product === null ? null : [product, version].filter(Boolean).join(' '),
    requests: 0,
    bytesReceived: connection.bytesReceived,
    bytesSent: connection.bytesSent,
    amqp: { state, vhost, name, heartbeat, frameMax, tls: tls !== null, channels: [...channels] },
  };
}

async function amqpConsumers(
  { amqp }: BrokerContext,
  vhost: string,
): Promise<z.output<typeof consumerSchema>[]> {
  const side = await amqp?.vhost(vhost);
  if (amqp === null || side === undefined) return [];
  const connections = new Map(amqp.connections().map((connection) => [connection.id, connection]));
  return side.consumers().map((consumer) => {
    const { queue, tag, connectionId, channel, prefetch, unacknowledged } = consumer;
    const connection = connections.get(connectionId);
    const isBounded = consumer.acknowledges && prefetch > 0;
    return {
      id: `${connectionId}/${channel}/${tag}`,
      kind: 'amqp',
      queue,
      consumer: tag,
      user: connection?.user ?? null,
      remoteAddress: connection?.remoteAddress ?? null,
      since: connection?.since ?? null,
      held: unacknowledged,
      credit: isBounded ? Math.max(0, prefetch - unacknowledged) : null,
      prefetch,
    };
  });
}
