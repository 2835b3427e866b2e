import type { AmqpContent, HeldMessage, Queue } from 'wherry';
import type { MethodArguments } from '../../../protocols/amqp/methods.ts';
import { IN_HAND_BYTES_MAX, type ChannelState } from '../messages/channel-state.ts';
import { queueNameOf } from '../definitions/definition-channel.ts';
import { contentOf } from '../messages/delivery.ts';
import { getTurnsOf } from '../messages/get-turns.ts';
import { queueTraits } from '../definitions/queue-traits.ts';
import { amqpError, preconditionFailed } from '../definitions/refuse.ts';
import { keep } from '../messages/unacknowledged.ts';

/** basic.get: one message, or the word that there is none. @throws AmqpError 404, 405, 406 */
export async function get(
  channel: ChannelState,
  args: MethodArguments['basic.get'],
): Promise<void> {
  const { host } = channel;
  const { late, port, queues } = host.vhost;
  const name = queueNameOf(channel, args.queue);
  host.require('read', name, 'queue');
  await late.know(() => port.findQueue(name) !== undefined);
  const turns = getTurnsOf(host);
  const turn = turns.enter();
  if (turn !== null) await turn;
  try {
    if (channel.isClosed) return;
    const queue = queues.check(name, host.connectionId);
    requireRoom(channel);
    await host.vhost.feeds.surrender(name);
    await channel.outstanding.settled();
    // What cannot be delivered is put aside, and the next one tried.
    while (!(await getOne(channel, queue, args.noAck)));
    host.flush();
  } finally {
    turns.leave();
  }
}

/** @throws AmqpError 406 when the client has as much in hand as it may */
function requireRoom({ host, inHand }: ChannelState): void {
  const { unacknowledged: most } = host.broker.config.amqp;
  if (inHand >= most) {
    throw preconditionFailed(`the channel has ${most} messages in hand; acknowledge some first`);
  }
  if (host.bytesInHand > IN_HAND_BYTES_MAX) {
    throw preconditionFailed(
      `messages in hand take more than ${IN_HAND_BYTES_MAX} bytes; acknowledge some first`,
    );
  }
}

/** @returns whether the client has an answer, or needs none any more */
async function getOne(channel: ChannelState, queue: Queue, noAck: boolean): Promise<boolean> {
  const { host, number } = channel;
  const { feeds, mq, name: vhost, port } = host.vhost;
  const { name } = queue;
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
    return true;
  }
  if (held === undefined) {
    host.writer.method(number, 'basic.get-empty');
    return true;
  }
  return hand(channel, held, { noAck, messageCount, timeout: timeoutOf(channel, queue) });
}

function timeoutOf({ host }: ChannelState, queue: Queue): number {
  return queueTraits(queue).consumerTimeout ?? host.broker.config.amqp.acknowledgeTimeout;
}

/** @returns false: it cannot be delivered, and was put aside */
function hand(
  channel: ChannelState,
  held: HeldMessage,
  how: { readonly noAck: boolean; readonly messageCount: number; readonly timeout: number },
): boolean {
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
    feeds.undeliverable(held, error);
    return false;
  }
  host.writer.content(number, content.properties, content.payload, host.frameMax);
  host.broker.traffic.delivered++;
  if (how.noAck) {
    feeds.acknowledgements.add(held, feeds.settled);
    return true;
  }
  const timeoutAt = how.timeout === 0 ? Infinity : Date.now() + how.timeout;
  if (how.timeout > 0) feeds.watchTimeouts();
  keep(channel, { tag: deliveryTag, held, consumer: null, timeoutAt });
  return true;
}
