import type { FastifyInstance, FastifyReply } from 'fastify';
import type { BrokerLimits } from '../../config/config.ts';
import { Connections } from './connections.ts';
import { InFlight } from './in-flight.ts';
import { LateQueues } from './late-queues.ts';
import { Receivers } from './receivers.ts';
import { StoreHosts } from './store-hosts.ts';

/** What the routes of one server share. */
export interface Services {
  readonly limits: BrokerLimits;
  /** Bytes of bodies in both directions. */
  readonly bytes: InFlight;
  /** Requests that wait for a message. */
  readonly longPolls: InFlight;
  readonly receivers: Receivers;
  readonly connections: Connections;
  readonly storeHosts: StoreHosts;
  readonly lateQueues: LateQueues;
  /** The OpenAPI document, as JSON. */
  readonly openApi: () => string;
  /** Counts bytes in flight until the response has been sent, or nobody is there to get it. */
  holdFor(reply: FastifyReply, bytes: number): void;
  /** Fires when the server closes: what waits must come to its end. */
  readonly closing: AbortSignal;
}

export function makeServices(
  app: FastifyInstance,
  limits: BrokerLimits,
  parts: Pick<Services, 'closing' | 'openApi'>,
): Services {
  const bytes = new InFlight(limits.inFlightBytes, 'bytes in flight');
  return {
    ...parts,
    limits,
    bytes,
    longPolls: new InFlight(limits.longPolls, 'requests that wait for a message'),
    receivers: new Receivers(),
    connections: new Connections(app, parts.closing),
    storeHosts: new StoreHosts(),
    lateQueues: new LateQueues(),
    holdFor: ({ request }, amount) => request.heldBytes.holdAnyway(amount),
  };
}
