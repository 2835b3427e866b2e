import { randomBytes } from 'node:crypto';
import { AmqpError } from '../../../protocols/amqp/errors.ts';
import type { MethodArguments } from '../../../protocols/amqp/methods.ts';
import type { Table } from '../../../protocols/amqp/table.ts';
import {
  type ArgumentCheck,
  integer,
  integerOf,
  notNegative,
} from '../definitions/argument-checks.ts';
import { ChannelConsumer } from '../messages/channel-consumer.ts';
import type { ChannelState } from '../messages/channel-state.ts';
import { queueNameOf } from '../definitions/definition-channel.ts';
import { REPLY_QUEUE } from '../messages/direct-replies.ts';
import type { ConsumerRequest, ConsumerSeat } from '../definitions/queue-registry.ts';
import { queueTraits } from '../definitions/queue-traits.ts';
import { preconditionFailed, resourceText } from '../definitions/refuse.ts';

const TAG_BYTES = 16;
/** Others mean nothing here, and would only fill the memory. */
const KEPT_ARGUMENTS: ReadonlySet<string> = new Set([
  'x-priority',
  'x-consumer-timeout',
  'x-cancel-on-ha-failover',
]);

/**
 * basic.consume. That a consumer wants nothing of its own connection (no-local) means nothing here,
 * as in RabbitMQ.
 * @throws AmqpError 403, 404, 405, 406, 530
 */
export async function consume(
  channel: ChannelState,
  args: MethodArguments['basic.consume'],
): Promise<void> {
  const { consumerTag, nowait } = args;
  if (channel.consumers.has(consumerTag) || channel.replies?.tag === consumerTag) {
    throw new AmqpError('not-allowed', `attempt to reuse consumer tag '${consumerTag}'`);
  }
  const { consumers: max } = channel.host.broker.config.amqp;
  if (channel.host.consumers.size >= max) {
    throw new AmqpError('not-allowed', `reached maximum (${max}) of consumers per connection`);
  }
  const tag =
    consumerTag === '' ? `amq.ctag-${randomBytes(TAG_BYTES).toString('base64url')}` : consumerTag;
  const isForReplies = args.queue === REPLY_QUEUE;
  const consumer = isForReplies ? null : await seated(channel, tag, args);
  if (isForReplies) await consumeReplies(channel, tag, args.noAck);
  if (channel.isClosed) return;
  if (!nowait) {
    channel.host.writer.method(channel.number, 'basic.consume-ok', { consumerTag: tag });
    channel.host.flush();
  }
  // Its first message comes behind the answer.
  if (consumer !== null && channel.consumers.get(tag) === consumer) consumer.begin();
}

/** basic.cancel: what the client has in hand stays there. */
export async function cancel(
  channel: ChannelState,
  { consumerTag, nowait }: MethodArguments['basic.cancel'],
): Promise<void> {
  const consumer = channel.consumers.get(consumerTag);
  await consumer?.caughtUp();
  if (consumer !== undefined && channel.consumers.delete(consumerTag)) {
    await consumer.end();
  } else if (channel.replies?.tag === consumerTag) endReplies(channel);
  if (nowait || channel.isClosed) return;
  channel.host.writer.method(channel.number, 'basic.cancel-ok', { consumerTag });
  channel.host.flush();
}

/** Nobody is to reply to the channel any more. */
export function endReplies(channel: ChannelState): void {
  if (channel.replies !== null) channel.host.vhost.replyTo.remove(channel.replies);
  channel.replies = null;
}

async function consumeReplies(channel: ChannelState, tag: string, noAck: boolean): Promise<void> {
  if (!noAck) throw preconditionFailed('reply consumer cannot acknowledge');
  if (channel.replies !== null) throw preconditionFailed('reply consumer already set');
  const { replyTo } = channel.host.vhost;
  const replies = await replyTo.open(channel, tag);
  if (channel.isClosed) replyTo.remove(replies);
  else channel.replies = replies;
}

/** @returns null: the channel was closed meanwhile */
async function seated(
  channel: ChannelState,
  tag: string,
  args: MethodArguments['basic.consume'],
): Promise<ChannelConsumer | null> {
  const { host } = channel;
  const { feeds, late, name: vhost, port, queues } = host.vhost;
  const { connectionId } = host;
  const { noAck, exclusive, arguments: table } = args;
  const name = queueNameOf(channel, args.queue);
  host.require('read', name, 'queue');
  await late.know(() => port.findQueue(name) !== undefined);
  if (channel.isClosed) return null;
  const queue = queues.check(name, connectionId);
  const resource = resourceText('queue', name, vhost);
  const priority = argument(table, 'x-priority', { check: integer, of: resource }) ?? 0;
  const acknowledgeTimeout =
    argument(table, 'x-consumer-timeout', { check: notNegative, of: resource }) ??
    queueTraits(queue).consumerTimeout ??
    host.broker.config.amqp.acknowledgeTimeout;
  const { prefetch } = channel;
  const options = { tag, noAck, priority, prefetch, acknowledgeTimeout };
  const consumer = new ChannelConsumer(channel, name, options);
  const seat = await seatOf(consumer, {
    exclusive,
    arguments: new Map([...table].filter(([key]) => KEPT_ARGUMENTS.has(key))),
    load: () => ({ acknowledges: !noAck, prefetch, unacknowledged: consumer.inHand }),
  });
  if (seat === null) return null;
  consumer.sit(
    seat,
    queues.whenDeleted(name, () => consumer.cancelled()),
  );
  channel.consumers.set(tag, consumer);
  host.consumers.add(consumer);
  port.touch(name);
  if (acknowledgeTimeout > 0 && !noAck) feeds.watchTimeouts();
  return consumer;
}

/** @returns null: the channel was closed meanwhile @throws AmqpError 403, 404, 405 */
async function seatOf(
  consumer: ChannelConsumer,
  request: Pick<ConsumerRequest, 'exclusive' | 'arguments' | 'load'>,
): Promise<ConsumerSeat | null> {
  const { channel, queue, tag } = consumer;
  const { connectionId, vhost } = channel.host;
  const seat = await vhost.queues.addConsumer(queue, {
    ...request,
    tag,
    connectionId,
    channel: channel.number,
    onActive: () => consumer.wake(),
  });
  if (!channel.isClosed) return seat;
  await seat.remove();
  return null;
}

/** @throws AmqpError 406 */
function argument(
  table: Table,
  name: string,
  { check, of }: { readonly check: ArgumentCheck; readonly of: string },
): number | undefined {
  const field = table.get(name);
  if (field === undefined) return undefined;
  const complaint = check(field, table);
  if (complaint === null) return integerOf(field)!;
  throw preconditionFailed(`invalid arg '${name}' for ${of}: ${complaint}`);
}
