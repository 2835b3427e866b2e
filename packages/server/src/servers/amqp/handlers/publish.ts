import { type AmqpContent, ExchangeNotFoundError, type NewMessage } from 'wherry';
import { DEFAULT_EXCHANGE_NAME } from '../../../access/permissions.ts';
import { AmqpError } from '../../../protocols/amqp/errors.ts';
import { decodeContentHeader } from '../../../protocols/amqp/frames.ts';
import type { MethodArguments } from '../../../protocols/amqp/methods.ts';
import { REPLY } from '../../../protocols/amqp/reply-codes.ts';
import type { ChannelState } from '../messages/channel-state.ts';
import { ContentAssembly } from '../messages/content-assembly.ts';
import type { ChannelHost } from '../contracts.ts';
import { isReplyName } from '../messages/direct-replies.ts';
import { directionOf } from '../messages/direction.ts';
import { queueTraits } from '../definitions/queue-traits.ts';
import { accessRefused, notFound } from '../definitions/refuse.ts';
import { notStored, store } from '../messages/storing.ts';
import type { RoutedMessage } from '../messages/pending-transaction.ts';
import { Unrouted, type UnroutedMessage } from '../messages/unrouted.ts';

/** basic.publish: its content comes behind it. @throws AmqpError 540 */
export function publish(channel: ChannelState, args: MethodArguments['basic.publish']): void {
  if (args.immediate) throw new AmqpError('not-implemented', 'immediate=true');
  channel.assembly = new ContentAssembly(args);
}

/** The content header. @throws AmqpError */
export function publishHeader(channel: ChannelState, payload: Buffer): void | Promise<void> {
  const assembly = channel.assembly!;
  const { exchange: name, routingKey } = assembly.args;
  const { host, replies } = channel;
  requireWrite(host, name, routingKey);
  const { port } = host.vhost;
  const exchange = name === '' ? null : port.findExchange(name);
  if (exchange === undefined) {
    if (port.supports.shared) return publishLate(channel, payload);
    throw notFound('exchange', name, host.vhost.name);
  }
  if (exchange?.internal === true) {
    throw accessRefused(
      `cannot publish to internal exchange '${name}' in vhost '${host.vhost.name}'`,
    );
  }
  const { bodySize, properties } = decodeContentHeader(payload);
  const user = host.identity.kind === 'token' ? null : host.user;
  const replyName = replies?.name ?? null;
  const direction = directionOf(properties, { exchange, routingKey, user, replyName });
  if (name === '') requireCopies(host, direction.routingKeys);
  assembly.begin(direction, bodySize);
  if (assembly.isComplete) finish(channel, assembly);
  return undefined;
}

/** Another broker may have made the exchange a moment ago. */
async function publishLate(channel: ChannelState, payload: Buffer): Promise<void> {
  const { exchange } = channel.assembly!.args;
  const { late, name, port } = channel.host.vhost;
  const isThere = (): boolean => port.findExchange(exchange) !== undefined;
  await late.know(isThere);
  if (!isThere()) throw notFound('exchange', exchange, name);
  if (!channel.isClosed) await publishHeader(channel, payload);
}

/** A part of the body. @throws AmqpError */
export function publishBody(channel: ChannelState, payload: Buffer): void {
  const assembly = channel.assembly!;
  assembly.add(payload);
  if (assembly.isComplete) finish(channel, assembly);
}

/** @throws AmqpError 403 */
export function requireWrite(host: ChannelHost, exchange: string, routingKey: string): void {
  if (exchange !== '') return host.require('write', exchange, 'exchange');
  // Whoever may send to a queue may do it in this way.
  if (!host.allows('write', DEFAULT_EXCHANGE_NAME)) host.require('write', routingKey, 'queue');
}

/** CC and BCC send to queues as well. @param keys the first has been asked for @throws AmqpError 403 */
function requireCopies(host: ChannelHost, keys: readonly string[]): void {
  for (let i = 1; i < keys.length; i++) requireWrite(host, '', keys[i]!);
}

function finish(channel: ChannelState, assembly: ContentAssembly): void {
  channel.assembly = null;
  const { broker, vhost } = channel.host;
  broker.traffic.published++;
  const routingKeys = storedKeys(assembly);
  deliverReplies(channel, assembly, routingKeys);
  const queues = route(channel, assembly, routingKeys);
  const message = assembly.message();
  const { confirms, transaction } = channel;
  const mayReachNone = queues.length === 0 || transaction !== null;
  const returned = assembly.args.mandatory && mayReachNone ? contentOf(assembly) : null;
  const mayBeLate = queues.length === 0 && routingKeys.length > 0 && vhost.port.supports.shared;
  if (transaction !== null) {
    const routed = (to: readonly string[]): RoutedMessage => ({
      queues: to,
      message: fitted(channel, to, message),
    });
    const again = mayBeLate ? () => routed(route(channel, assembly, routingKeys)) : null;
    transaction.publish({ ...routed(queues), returned, again });
    return;
  }
  const tag = confirms === null ? 0 : confirms.begin();
  if (mayBeLate) {
    const { exchange } = assembly.args;
    const { headers } = assembly.direction!;
    channel.unrouted ??= new Unrouted(channel, concludeLate);
    const unrouted = { tag, exchange, routingKeys, headers, message, returned };
    if (channel.unrouted.hold(unrouted)) return;
  }
  conclude(channel, tag, queues, message, returned);
}

/** Every publish ends so: in its queues, or given back, or dropped. */
function conclude(
  channel: ChannelState,
  tag: number,
  queues: readonly string[],
  message: NewMessage,
  returned: AmqpContent | null,
): void {
  if (queues.length > 0) {
    store(channel, tag, queues, fitted(channel, queues, message));
    return;
  }
  if (returned !== null && !channel.isClosed) returnMessage(channel, returned);
  if (tag !== 0) channel.confirms?.end(tag, true);
}

function concludeLate(
  channel: ChannelState,
  { tag, message, returned }: UnroutedMessage,
  queues: readonly string[],
  error: unknown,
): void {
  if (error === null) conclude(channel, tag, queues, message, returned);
  else notStored(channel, tag, queues, error);
}

/** The routing keys without those of clients that wait for a reply, which nobody stores. */
function storedKeys({ args, direction }: ContentAssembly): readonly string[] {
  const { routingKeys } = direction!;
  if (args.exchange !== '' || !routingKeys.some(isReplyName)) return routingKeys;
  return routingKeys.filter((key) => !isReplyName(key));
}

/** To whoever waits for it. It counts as what reached no queue: mandatory ones come back. */
function deliverReplies(
  { host }: ChannelState,
  assembly: ContentAssembly,
  stored: readonly string[],
): void {
  const { routingKeys } = assembly.direction!;
  if (stored.length === routingKeys.length) return;
  for (const key of routingKeys) {
    if (isReplyName(key)) host.vhost.replyTo.deliver(key, contentOf(assembly));
  }
}

/** @throws AmqpError 404 */
function route(
  { host }: ChannelState,
  { args, direction }: ContentAssembly,
  routingKeys: readonly string[],
): readonly string[] {
  const { name, port } = host.vhost;
  if (routingKeys.length === 0) return [];
  try {
    return port.route(args.exchange, routingKeys, direction!.headers);
  } catch (error) {
    if (error instanceof ExchangeNotFoundError) throw notFound('exchange', args.exchange, name);
    throw error;
  }
}

/** The message as these queues take it. */
function fitted(
  { host }: ChannelState,
  queues: readonly string[],
  message: NewMessage,
): NewMessage {
  if (message.deduplicationId === null) return message;
  const { port } = host.vhost;
  const isAsked = queues.some((name) => {
    const queue = port.findQueue(name);
    return queue !== undefined && queueTraits(queue).deduplicates;
  });
  return isAsked ? message : { ...message, deduplicationId: null };
}

function contentOf(assembly: ContentAssembly): AmqpContent {
  const { exchange, routingKey } = assembly.args;
  const properties = assembly.direction!.properties as Buffer;
  return { exchange, routingKey, properties, payload: assembly.payload };
}

/** basic.return: it was mandatory, and reached no queue. */
export function returnMessage(
  { host, number }: ChannelState,
  { exchange, routingKey, properties, payload }: AmqpContent,
): void {
  host.broker.traffic.returned++;
  host.writer.method(number, 'basic.return', {
    replyCode: REPLY['no-route'],
    replyText: 'NO_ROUTE',
    exchange,
    routingKey,
  });
  host.writer.content(number, properties, payload, host.frameMax);
  host.flush();
}
