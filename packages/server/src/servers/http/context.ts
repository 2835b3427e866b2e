import type { FastifyBaseLogger } from 'fastify';
import type { SecureContextOptions } from 'node:tls';
import type { Access } from '../../access/access.ts';
import type { Alarms } from '../../alarms/alarms.ts';
import type { BrokerConfig } from '../../config/config.ts';
import type { AmqpSide } from '../../protocols/management/amqp-side.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import type { VirtualHosts } from '../../vhosts/virtual-hosts.ts';

/** What the routes work with: made once by serve.ts. */
export interface BrokerContext {
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly config: BrokerConfig;
  readonly telemetry: Telemetry;
  /** Why nobody may send for now. */
  readonly alarms: Alarms;
  readonly vhosts: VirtualHosts;
  readonly access: Access;
  /** The AMQP server: what it declares, and whom it serves. Null: there is none. */
  readonly amqp: AmqpSide | null;
  /** Left out: nothing is logged. */
  readonly logger?: FastifyBaseLogger;
  /** Left out: plain HTTP. */
  readonly tls?: SecureContextOptions;
}

export { DEFAULT_VHOST } from '../../vhosts/virtual-hosts.ts';
