import { type QueueInfo, UnsupportedError } from 'wherry';
import type { Action, Identity } from '../../../../access/identity.ts';
import { isAllowed, mayEnter } from '../../../../access/permissions.ts';
import type { AmqpSide, AmqpVhostSide } from '../../../../protocols/management/amqp-side.ts';
import type { Listener } from '../../../../protocols/management/connection-rows.ts';
import { VhostNotFoundError } from '../../../../vhosts/errors.ts';
import type { BrokerContext } from '../../context.ts';
import { infosOf } from '../../queue-infos.ts';
import type { Call, Rule } from '../../route.ts';

export const MANAGEMENT = { scope: 'management', tag: 'management' } as const;

/** RabbitMQ's API names its nodes; a broker is the only one of its own. */
export const NODE = 'wherry@localhost';

/** The name that the default exchange has in paths. */
const DEFAULT_EXCHANGE_ALIAS = 'amq.default';

/** A rule about the name in the path. */
export function may(action: Action, of: 'queue' | 'exchange', param = 'name'): Rule {
  return { kind: 'resource', action, of, param };
}

/** @throws UnsupportedError when the broker serves no AMQP */
export function amqpOf({ amqp }: BrokerContext): AmqpSide {
  if (amqp !== null) return amqp;
  throw new UnsupportedError(
    'this part of the management API',
    'this broker',
    'amqp.enabled is false',
  );
}

/** @throws VhostNotFoundError, UnsupportedError, StorageError */
export async function vhostSide(broker: BrokerContext, name: string): Promise<AmqpVhostSide> {
  const side = await amqpOf(broker).vhost(name);
  if (side === undefined) throw new VhostNotFoundError(name);
  return side;
}

/** The virtual host that a path names. */
export function sideOf({ broker, vhost }: Pick<Call, 'broker' | 'vhost'>): Promise<AmqpVhostSide> {
  return vhostSide(broker, vhost);
}

/** Runs for each virtual host that the caller may enter, and puts the lists together. */
export async function inEachVhost<T>(
  { broker, identity }: Pick<Call, 'broker' | 'identity'>,
  list: (side: AmqpVhostSide, vhost: string) => T[] | Promise<T[]>,
): Promise<T[]> {
  const names = broker.vhosts.names().filter((name) => mayEnter(identity, name));
  const lists = await Promise.all(
    names.map(async (name) => {
      const side = await amqpOf(broker).vhost(name);
      // Meanwhile it may have been deleted.
      return side === undefined ? [] : list(side, name);
    }),
  );
  return lists.flat();
}

/** Whether the identity may do anything to what has this name. */
export function sees(identity: Identity, vhost: string, name: string): boolean {
  return (['read', 'write', 'configure'] as const).some((action) =>
    isAllowed(identity, vhost, action, name),
  );
}

/** @returns of the queues that are named, those that are still there */
export function queueInfos(
  { vhosts }: BrokerContext,
  vhost: string,
  names: readonly string[],
): Promise<QueueInfo[]> {
  const mq = vhosts.find(vhost);
  if (mq === undefined) throw new VhostNotFoundError(vhost);
  return infosOf(mq, names);
}

/** Where the AMQP server is, for names of connections. */
export function listenerOf({ amqp, config }: BrokerContext): Listener {
  const { port = null, tlsPort = null } = amqp ?? {};
  return { host: config.host, port, tlsPort, node: NODE };
}

/** @returns '' for the name that the default exchange has in paths */
export function exchangeIn(name: string): string {
  return name === DEFAULT_EXCHANGE_ALIAS ? '' : name;
}
