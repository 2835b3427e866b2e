import { deadLetterTarget } from '../../../access/permissions.ts';
import type { Method, MethodArguments, MethodName } from '../../../protocols/amqp/methods.ts';
import { textOf } from '../definitions/argument-checks.ts';
import type { ChannelHost } from '../contracts.ts';
import {
  cleanName,
  type DefinitionChannel,
  queueNameOf,
  requireNotDefault,
  requireUnreserved,
} from '../definitions/definition-channel.ts';
import { isReplyName, REPLY_QUEUE } from '../messages/direct-replies.ts';
import type { BindingRequest } from '../definitions/exchange-registry.ts';
import { queueTypeOf, requireTextArgument } from '../definitions/queue-arguments.ts';
import { type DeclaredQueue, serverName } from '../definitions/queue-registry.ts';
import { notFound, preconditionFailed, resourceText } from '../definitions/refuse.ts';
import { requireWrite } from './publish.ts';

type Arguments<N extends MethodName> = MethodArguments[N];

/** @returns null: it is no method of queues. Rejects with an AmqpError */
export function handleQueue(channel: DefinitionChannel, method: Method): Promise<void> | null {
  switch (method.name) {
    case 'queue.declare':
      return declare(channel, method.args);
    case 'queue.delete':
      return remove(channel, method.args);
    case 'queue.purge':
      return purge(channel, method.args);
    case 'queue.bind':
      return bind(channel, method.args);
    case 'queue.unbind':
      return unbind(channel, method.args);
    default:
      return null;
  }
}

async function declare(
  channel: DefinitionChannel,
  args: Arguments<'queue.declare'>,
): Promise<void> {
  const { host, number } = channel;
  await host.vhost.feeds.surrender(args.queue || channel.lastQueue);
  await channel.outstanding.settled();
  // An exclusive queue of a connection that is gone would never go.
  if (channel.isClosed) return;
  const declared = await makeOrFind(host, args);
  channel.lastQueue = declared.queue;
  if (args.nowait) return;
  host.writer.method(number, 'queue.declare-ok', declared);
  host.flush();
}

async function remove(channel: DefinitionChannel, args: Arguments<'queue.delete'>): Promise<void> {
  const { host, number } = channel;
  const name = queueNameOf(channel, args.queue);
  host.require('configure', name, 'queue');
  await host.vhost.feeds.surrender(name);
  await channel.outstanding.settled();
  const { connectionId } = host;
  const messageCount = await host.vhost.queues.delete(name, { ...args, connectionId });
  // Its bindings went with it, and perhaps the exchanges that had only those.
  await host.vhost.exchanges.settled();
  if (args.nowait) return;
  host.writer.method(number, 'queue.delete-ok', { messageCount });
  host.flush();
}

async function purge(channel: DefinitionChannel, args: Arguments<'queue.purge'>): Promise<void> {
  const { host, number } = channel;
  const name = queueNameOf(channel, args.queue);
  host.require('read', name, 'queue');
  await host.vhost.feeds.surrender(name);
  await channel.outstanding.settled();
  const messageCount = await host.vhost.queues.purge(name, host.connectionId);
  if (args.nowait) return;
  host.writer.method(number, 'queue.purge-ok', { messageCount });
  host.flush();
}

async function bind(channel: DefinitionChannel, args: Arguments<'queue.bind'>): Promise<void> {
  const { host, number } = channel;
  const { queues, exchanges } = host.vhost;
  const request = bindingOf(channel, args);
  exchanges.check(request.source);
  queues.check(request.destination.name, host.connectionId);
  await exchanges.bind(request);
  if (args.nowait) return;
  host.writer.method(number, 'queue.bind-ok', {});
  host.flush();
}

async function unbind(channel: DefinitionChannel, args: Arguments<'queue.unbind'>): Promise<void> {
  const { host, number } = channel;
  const { queues, exchanges, port } = host.vhost;
  const request = bindingOf(channel, args);
  const { name } = request.destination;
  // What is not there is not bound.
  if (port.findQueue(name) !== undefined) queues.check(name, host.connectionId);
  await exchanges.unbind(request);
  host.writer.method(number, 'queue.unbind-ok', {});
  host.flush();
}

function makeOrFind(
  host: ChannelHost,
  args: Arguments<'queue.declare'>,
): DeclaredQueue | Promise<DeclaredQueue> {
  const { queues } = host.vhost;
  const given = cleanName(args.queue);
  if (given === REPLY_QUEUE || isReplyName(given)) return describeReplies(host, given);
  if (args.passive) return queues.declarePassive(given, host.connectionId);
  if (given === '') requireServerNamed(args);
  else requireUnreserved('queue', given);
  const name = given === '' ? serverName() : given;
  host.require('configure', name, 'queue');
  if (args.exclusive) ownedBy(host);
  const { connectionId } = host;
  const authorize = (): void => requireDeadLetters(host, name, args);
  return queues.declare({ ...args, name, connectionId, authorize });
}

/** @throws AmqpError 403 when its client may not send dead letters on, 406 */
function requireDeadLetters(
  host: ChannelHost,
  name: string,
  { arguments: table }: Arguments<'queue.declare'>,
): void {
  const key = 'x-dead-letter-exchange';
  requireTextArgument(table, key, resourceText('queue', name, host.vhost.name));
  const exchange = textOf(table.get(key));
  if (exchange === undefined) return;
  host.require('read', name, 'queue');
  const routingKey = textOf(table.get('x-dead-letter-routing-key'));
  requireWrite(host, exchange, deadLetterTarget(exchange, routingKey));
}

/** @throws AmqpError 406: as with RabbitMQ, a quorum queue is one that somebody knows by its name */
function requireServerNamed({ arguments: table }: Arguments<'queue.declare'>): void {
  const type = queueTypeOf(table);
  if (type === 'classic') return;
  throw preconditionFailed(`Cannot declare a server-named queue for type rabbit_${type}_queue`);
}

/** What replies go to is no queue, but looks like one. @throws AmqpError 404 */
function describeReplies({ vhost }: ChannelHost, name: string): DeclaredQueue {
  if (name !== REPLY_QUEUE && !vhost.replyTo.has(name)) throw notFound('queue', name, vhost.name);
  return { queue: name, messageCount: 0, consumerCount: 1 };
}

const owners = new WeakSet<ChannelHost>();

/** The connection's exclusive queues go when it ends. */
function ownedBy(host: ChannelHost): void {
  if (owners.has(host)) return;
  owners.add(host);
  host.onClose(async () => {
    await host.vhost.queues.connectionClosed(host.connectionId);
    await host.vhost.exchanges.settled();
  });
}

function bindingOf(
  channel: DefinitionChannel,
  args: Arguments<'queue.bind' | 'queue.unbind'>,
): BindingRequest {
  const { host } = channel;
  const name = queueNameOf(channel, args.queue);
  const source = cleanName(args.exchange);
  // Without both names, the key is the queue's as well.
  const isShort = args.queue === '' && args.routingKey === '';
  host.require('write', name, 'queue');
  requireNotDefault(source);
  host.require('read', source, 'exchange');
  return {
    source,
    destination: { kind: 'queue', name },
    routingKey: isShort ? name : args.routingKey,
    arguments: args.arguments,
  };
}
