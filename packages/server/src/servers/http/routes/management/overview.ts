import {
  overviewRow,
  nodeRow,
  type Listening,
} from '../../../../protocols/management/overview-rows.ts';
import { type Row, rowSchema, rowsSchema } from '../../../../protocols/management/listing.ts';
import { type Call, defineRoute, type Route } from '../../route.ts';
import { amqpOf, inEachVhost, MANAGEMENT, NODE, queueInfos, sees } from './common.ts';
import { seenConnections } from './connections.ts';

export const managementOverviewRoutes: readonly Route[] = [
  defineRoute({
    ...MANAGEMENT,
    id: 'managementOverview',
    method: 'GET',
    url: '/overview',
    summary: 'The broker, and what it holds in all',
    description: 'Of the virtual hosts that the caller may enter.',
    rule: { kind: 'authenticated' },
    responses: { 200: rowSchema },
    handler: (call) => overview(call),
  }),
  defineRoute({
    ...MANAGEMENT,
    id: 'managementWhoami',
    method: 'GET',
    url: '/whoami',
    summary: 'Who asks',
    rule: { kind: 'authenticated' },
    responses: { 200: rowSchema },
    handler: ({ identity: { name, admin } }) => ({ name, tags: admin ? ['administrator'] : [] }),
  }),
  defineRoute({
    ...MANAGEMENT,
    id: 'managementNodes',
    method: 'GET',
    url: '/nodes',
    summary: 'The broker as the only node of its cluster',
    rule: { kind: 'admin' },
    responses: { 200: rowsSchema },
    handler: ({ broker }) => [
      nodeRow({
        node: NODE,
        processId: process.pid,
        uptime: Date.now() - broker.startedAt,
        memoryUsed: process.memoryUsage.rss(),
        alarms: new Set(broker.alarms.active().map(({ kind }) => kind)),
      }),
    ],
  }),
];

async function overview(call: Call): Promise<Row> {
  const { broker, identity } = call;
  const infos = await inEachVhost(call, async (side, vhost) => {
    const names = side.queues().map(({ name }) => name);
    const seen = names.filter((name) => sees(identity, vhost, name));
    return queueInfos(broker, vhost, seen);
  });
  const exchanges = await inEachVhost(call, (side) => side.exchanges());
  const connections = seenConnections(call);
  const channels = connections.reduce((sum, connection) => sum + connection.channels.length, 0);
  const counts = {
    channels,
    connections: connections.length,
    consumers: infos.reduce((sum, { consumerCount }) => sum + consumerCount, 0),
    exchanges: exchanges.length,
    queues: infos.length,
  };
  return overviewRow({
    version: broker.version,
    node: NODE,
    listening: listening(call),
    infos,
    counts,
  });
}

/** Where the broker can be reached. */
export function listening({ broker, request }: Pick<Call, 'broker' | 'request'>): Listening[] {
  const { host } = broker.config;
  const { port, tlsPort } = amqpOf(broker);
  const own = request.socket.localPort ?? 0;
  return [
    { protocol: broker.tls === undefined ? 'http' : 'https', host, port: own },
    ...(port === null ? [] : [{ protocol: 'amqp', host, port } as const]),
    ...(tlsPort === null ? [] : [{ protocol: 'amqp/ssl', host, port: tlsPort } as const]),
  ];
}
