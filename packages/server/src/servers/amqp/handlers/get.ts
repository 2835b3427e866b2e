import type { AmqpContent, HeldMessage } from 'wherry';
import type { MethodArguments } from '../../../protocols/amqp/methods.ts';
import { IN_HAND_BYTES_MAX, type ChannelState } from '../messages/channel-state.ts';
import { queueNameOf } from '../definitions/definition-channel.ts';
import { contentOf } from '../messages/delivery.ts';
import { queueTraits } from '../definitions/queue-traits.ts';
import { amqpError, preconditionFailed } from '../definitions/refuse.ts';
import { keep } from '../messages/unacknowledged.ts';

/** basic.get: one message, or the word that there is none. @throws AmqpError 404, 405 */
export async function get(
  channel: ChannelState,
  args: MethodArguments['basic.get'],
): Promise<void> {
  const { host, number } = channel;
  const { feeds, late, mq, name: vhost, port, queues } = host.vhost;
  const name = queueNameOf(channel, args.queue);
  host.require('read', name, 'queue');
  await late.know(() => port.findQueue(name) !== undefined);
  const queue = queues.check(name, host.connectionId);
  const { unacknowledged: most } = host.broker.config.amqp;
  if (channel.inHand >= most) {
    throw preconditionFailed(`the channel has ${most} messages in hand; acknowledge some first`);
  }
  if (host.bytesInHand > IN_HAND_BYTES_MAX) {
    throw preconditionFailed(
      `messages in hand take more than ${IN_HAND_BYTES_MAX} bytes; acknowledge some first`,
    );
  }
  await feeds.surrender(name);
  await channel.outstanding.settled();
  let held: HeldMessage | undefined;
  let messageCount = 0;
  try {
    const { messages } = await port.take(name, {
      consumerId: feeds.holder,
      max: 1,
      leaseDuration: feeds.leaseDuration,
      bound: true,
    });
    [held] = messages;
    if (held !== undefined) messageCount = (await mq.getQueueInfo(name)).ready;
  } catch (error) {
    if (held !== undefined) feeds.leases.giveBack(held, 'unstarted', feeds.settled);
    throw amqpError(error, { kind: 'queue', name, vhost });
  }
  if (channel.isClosed) {
    if (held !== undefined) feeds.leases.giveBack(held, 'unstarted', feeds.settled);
    return;
  }
  if (held === undefined) host.writer.method(number, 'basic.get-empty');
  else hand(channel, held, { noAck: args.noAck, messageCount, timeout: timeoutOf(channel, queue) });
  host.flush();
}

function timeoutOf({ host }: ChannelState, queue: Parameters<typeof queueTraits>[0]): number {
  return queueTraits(queue).consumerTimeout ?? host.broker.config.amqp.acknowledgeTimeout;
}

function hand(
  channel: ChannelState,
  held: HeldMessage,
  how: { readonly noAck: boolean; readonly messageCount: number; readonly timeout: number },
): void {
  const { host, number } = channel;
  const { feeds, port } = host.vhost;
  const { stored } = held;
  const queue = port.findQueue(held.queue.name);
  const isQuorum = queue !== undefined && queueTraits(queue).type === 'quorum';
  let content: AmqpContent;
  const deliveryTag = channel.nextTag();
  try {
    content = contentOf(stored, isQuorum);
    host.writer.method(number, 'basic.get-ok', {
      deliveryTag,
      redelivered: port.isRedelivered(stored),
      exchange: content.exchange,
      routingKey: content.routingKey,
      messageCount: how.messageCount,
    });
  } catch (error) {
    // It is no use to the next either.
    feeds.failed(held.queue.name, error, held.id);
    throw error;
  }
  host.writer.content(number, content.properties, content.payload, host.frameMax);
  host.broker.traffic.delivered++;
  if (how.noAck) {
    feeds.acknowledgements.add(held, feeds.settled);
    return;
  }
  const timeoutAt = how.timeout === 0 ? Infinity : Date.now() + how.timeout;
  if (how.timeout > 0) feeds.watchTimeouts();
  keep(channel, { tag: deliveryTag, held, consumer: null, timeoutAt });
}
