import { AmqpError } from '../../../protocols/amqp/errors.ts';
import type { ChannelHost } from '../contracts.ts';
import type { Outstanding } from '../messages/outstanding.ts';
import { accessRefused, type ResourceKind } from './refuse.ts';

/** What the handlers of definitions need of a channel. */
export interface DefinitionChannel {
  readonly number: number;
  readonly host: ChannelHost;
  /** The queue that was declared last: what an empty queue name means. '': none was. */
  lastQueue: string;
  readonly isClosed: boolean;
  /** Waited for by what tells how many messages there are. */
  readonly outstanding: Outstanding;
}

/** RabbitMQ takes line ends out of names, which some clients leave in. */
export function cleanName(name: string): string {
  return name.replace(/[\r\n]/g, '');
}

/**
 * @param name as a method gives it
 * @returns the queue that is meant @throws AmqpError 404: none was declared yet
 */
export function queueNameOf(channel: DefinitionChannel, name: string): string {
  if (name !== '') return cleanName(name);
  if (channel.lastQueue !== '') return channel.lastQueue;
  throw new AmqpError('not-found', 'no previously declared queue');
}

/** @throws AmqpError 403: the exchange that every queue is bound to is as it is */
export function requireNotDefault(exchange: string): void {
  if (exchange === '') throw accessRefused('operation not permitted on the default exchange');
}

/** @throws AmqpError 403: names of this kind are the server's to give */
export function requireUnreserved(kind: ResourceKind, name: string): void {
  if (!name.startsWith('amq.')) return;
  throw accessRefused(`${kind} name '${name}' contains reserved prefix 'amq.*'`);
}
