import type { MessageQueueSystem, QueueInfo } from 'wherry';
import * as z from 'zod';
import { ALARM_KINDS } from '../../../alarms/alarms.ts';
import type { Identity } from '../../../access/identity.ts';
import { isAllowed, mayEnter } from '../../../access/permissions.ts';
import { millisecondsSchema, timeSchema } from '../../../protocols/http/schemas/common.ts';
import { type Call, defineRoute, type Route } from '../route.ts';

const countsShape = {
  queues: z.int(),
  messageCount: z.int(),
  ready: z.int(),
  scheduled: z.int(),
  leased: z.int(),
  bytes: z.int(),
  consumers: z.int(),
  rates: z
    .strictObject({ enqueued: z.number(), delivered: z.number(), acknowledged: z.number() })
    .describe('Per second, by way of this broker.'),
};

const alarmSchema = z
  .strictObject({
    kind: z.enum(['queue-full', 'dead-letters', 'overloaded', 'store', ...ALARM_KINDS]),
    vhost: z.string().nullable(),
    queue: z.string().nullable(),
    detail: z.string(),
  })
  .meta({ id: 'Alarm' });

const overviewSchema = z
  .strictObject({
    version: z.string(),
    startedAt: timeSchema,
    uptime: millisecondsSchema,
    vhosts: z.array(z.strictObject({ name: z.string(), ...countsShape })),
    connections: z.int(),
    longPolls: z.int(),
    bytesInFlight: z.int(),
    alarms: z.array(alarmSchema),
  })
  .meta({ id: 'Overview' });

const permissionSchema = z.strictObject({
  vhost: z.string(),
  configure: z.array(z.string()),
  write: z.array(z.string()),
  read: z.array(z.string()),
});

export const overviewRoutes: readonly Route[] = [
  defineRoute({
    id: 'getOverview',
    method: 'GET',
    url: '/overview',
    scope: 'global',
    tag: 'broker',
    summary: 'The broker at a glance',
    description: 'Of the virtual hosts that the caller may enter.',
    rule: { kind: 'authenticated' },
    responses: { 200: overviewSchema },
    handler: (call) => overview(call),
  }),
  defineRoute({
    id: 'whoAmI',
    method: 'GET',
    url: '/whoami',
    scope: 'global',
    tag: 'broker',
    summary: 'Who the broker takes the caller for',
    rule: { kind: 'authenticated' },
    responses: {
      200: z
        .strictObject({
          kind: z.enum(['user', 'token', 'anonymous']),
          name: z.string(),
          admin: z.boolean(),
          permissions: z.array(permissionSchema),
        })
        .meta({ id: 'Identity' }),
    },
    handler: ({ identity: { kind, name, admin, permissions } }: { identity: Identity }) => ({
      kind,
      name,
      admin,
      permissions,
    }),
  }),
];

type Alarm = z.output<typeof alarmSchema>;

/** A queue that has less room than this share of its bounds is told of. */
const FULL_SHARE = 0.9;

async function overview({ broker, identity, services }: Call): Promise<unknown> {
  const alarms: Alarm[] = broker.alarms
    .active()
    .map(({ kind, detail }) => ({ kind, vhost: null, queue: null, detail }));
  const vhosts = [];
  for (const name of broker.vhosts.names().filter((vhost) => mayEnter(identity, vhost))) {
    const mq = broker.vhosts.find(name);
    if (mq === undefined) continue;
    try {
      const infos = await mq.listQueueInfo();
      vhosts.push({ name, ...totalOf(infos) });
      const seen = infos.filter((info) => isAllowed(identity, name, 'read', info.name));
      alarms.push(...seen.flatMap((info) => alarmsOf(mq, name, info)));
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      alarms.push({ kind: 'store', vhost: name, queue: null, detail });
    }
  }
  const { bytes, longPolls, connections } = services;
  if (bytes.held > bytes.limit * FULL_SHARE) {
    const detail = `${bytes.held} of ${bytes.limit} bytes are in flight.`;
    alarms.push({ kind: 'overloaded', vhost: null, queue: null, detail });
  }
  return {
    version: broker.version,
    startedAt: broker.startedAt,
    uptime: Date.now() - broker.startedAt,
    vhosts,
    connections: connections.size + (broker.amqp?.connections().length ?? 0),
    longPolls: longPolls.held,
    bytesInFlight: bytes.held,
    alarms,
  };
}

function totalOf(infos: readonly QueueInfo[]) {
  const sum = (of: (info: QueueInfo) => number): number =>
    infos.reduce((total, info) => total + of(info), 0);
  return {
    queues: infos.length,
    messageCount: sum((info) => info.messageCount),
    ready: sum((info) => info.ready),
    scheduled: sum((info) => info.scheduled),
    leased: sum((info) => info.leased),
    bytes: sum((info) => info.bytes),
    consumers: sum((info) => info.consumerCount),
    rates: {
      enqueued: sum((info) => info.rates.enqueued),
      delivered: sum((info) => info.rates.delivered),
      acknowledged: sum((info) => info.rates.acknowledged),
    },
  };
}

function alarmsOf(mq: MessageQueueSystem, vhost: string, info: QueueInfo): Alarm[] {
  const { name: queue, settings, messageCount, bytes } = info;
  const alarms: Alarm[] = [];
  const { maxSize, maxBytes } = settings;
  const bounds = [
    { used: messageCount, bound: maxSize, unit: 'messages' },
    { used: bytes, bound: maxBytes, unit: 'bytes' },
  ];
  for (const { used, bound, unit } of bounds) {
    if (bound === null || used < bound * FULL_SHARE) continue;
    const detail = `Queue '${queue}' holds ${used} of at most ${bound} ${unit}.`;
    alarms.push({ kind: 'queue-full', vhost, queue, detail });
  }
  if (queue === mq.deadLetterQueue.queueName && messageCount > 0) {
    const detail = `${messageCount} messages have died. Look at them, then redrive or purge.`;
    alarms.push({ kind: 'dead-letters', vhost, queue, detail });
  }
  return alarms;
}
