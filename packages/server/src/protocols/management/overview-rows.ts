import type { QueueInfo } from 'wherry';
import { RABBITMQ_VERSION } from './definitions.ts';
import { messageCounts, messageStats } from './definition-rows.ts';
import type { Row } from './listing.ts';

const EXCHANGE_TYPES = ['direct', 'fanout', 'headers', 'topic', 'x-delayed-message'];

/** Where the broker listens. */
export interface Listening {
  readonly protocol: 'http' | 'https' | 'amqp' | 'amqp/ssl';
  readonly host: string;
  readonly port: number;
}

export interface OverviewParts {
  readonly version: string;
  readonly node: string;
  readonly listening: readonly Listening[];
  /** Of the queues that the caller may see. */
  readonly infos: readonly QueueInfo[];
  readonly counts: {
    readonly channels: number;
    readonly connections: number;
    readonly consumers: number;
    readonly exchanges: number;
    readonly queues: number;
  };
}

/** `GET /api/overview`. Clients read from the version which calls there are: it is that of RabbitMQ's. */
export function overviewRow({ version, node, listening, infos, counts }: OverviewParts): Row {
  return {
    management_version: RABBITMQ_VERSION,
    rabbitmq_version: RABBITMQ_VERSION,
    product_name: 'Wherry',
    product_version: version,
    cluster_name: 'wherry',
    rates_mode: 'basic',
    node,
    exchange_types: exchangeTypes(),
    message_stats: messageStats(infos),
    queue_totals: messageCounts(infos),
    object_totals: counts,
    listeners: listening.map((each) => listenerRow(each, node)),
    contexts: [],
  };
}

export interface NodeParts {
  readonly node: string;
  readonly processId: number;
  /** Milliseconds. */
  readonly uptime: number;
  /** Bytes. */
  readonly memoryUsed: number;
  /** What it is short of. */
  readonly alarms: ReadonlySet<string>;
}

/** The one entry of `GET /api/nodes`. */
export function nodeRow({ node, processId, uptime, memoryUsed, alarms }: NodeParts): Row {
  return {
    name: node,
    type: 'disc',
    running: true,
    os_pid: String(processId),
    uptime,
    mem_used: memoryUsed,
    mem_alarm: alarms.has('memory'),
    disk_free_alarm: alarms.has('disk'),
    partitions: [],
    exchange_types: exchangeTypes(),
    auth_mechanisms: ['PLAIN', 'AMQPLAIN'].map((name) => ({ name, enabled: true })),
  };
}

function exchangeTypes(): Row[] {
  return EXCHANGE_TYPES.map((name) => ({ name, enabled: true }));
}

function listenerRow({ protocol, host, port }: Listening, node: string): Row {
  return { node, protocol, ip_address: host, port };
}
