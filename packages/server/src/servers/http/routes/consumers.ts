import * as z from 'zod';
import { timeSchema } from '../../../protocols/http/schemas/common.ts';
import { ThingNotFoundError } from '../../../protocols/http/errors.ts';
import { defineRoute, type Route } from '../route.ts';

const consumerSchema = z
  .strictObject({
    id: z.string(),
    kind: z
      .enum(['push', 'poll', 'handler'])
      .describe("A WebSocket, a request that waits, or a handler in the broker's own process."),
    queue: z.string(),
    consumer: z.string().describe('The name that its leases carry.'),
    user: z.string().nullable(),
    remoteAddress: z.string().nullable(),
    since: timeSchema.nullable(),
    held: z.int().nullable().describe('Messages that it holds, where the broker knows.'),
    credit: z.int().nullable().describe('Messages that it can take yet.'),
  })
  .meta({ id: 'Consumer' });

const connectionSchema = z
  .strictObject({
    id: z.string(),
    remoteAddress: z.string(),
    remotePort: z.int(),
    since: timeSchema,
    protocol: z.enum(['http', 'websocket']),
    user: z.string().nullable().describe('Who made the last request.'),
    userAgent: z.string().nullable(),
    requests: z.int(),
    bytesReceived: z.int(),
    bytesSent: z.int(),
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
    handler: ({ mq, vhost, services, allows }) => {
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
      }));
      return { consumers: [...remote, ...own].filter(({ queue }) => allows('read', queue)) };
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
    handler: ({ services }) => ({ connections: services.connections.list() }),
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
    handler: ({ services, params: { connection }, reply }) => {
      if (!services.connections.close(connection)) {
        throw new ThingNotFoundError('CONNECTION', `Connection '${connection}' is not open.`);
      }
      return reply.status(204).send();
    },
  }),
];
