import { AmqpError } from '../../../protocols/amqp/errors.ts';
import type { MethodArguments } from '../../../protocols/amqp/methods.ts';
import type { ChannelState } from '../messages/channel-state.ts';
import type { Settlement } from '../messages/pending-transaction.ts';
import { giveAllBack, settle, takeDeliveries, takeDelivery } from '../messages/unacknowledged.ts';

/** basic.ack @throws AmqpError 406 */
export function acknowledge(channel: ChannelState, tag: number, isMultiple: boolean): void {
  end(channel, tag, isMultiple, 'acknowledge');
}

/** basic.nack @throws AmqpError 406 */
export function nack(channel: ChannelState, args: MethodArguments['basic.nack']): void {
  end(channel, args.deliveryTag, args.multiple, args.requeue ? 'requeue' : 'reject');
}

/** basic.reject @throws AmqpError 406 */
export function reject(channel: ChannelState, args: MethodArguments['basic.reject']): void {
  end(channel, args.deliveryTag, false, args.requeue ? 'requeue' : 'reject');
}

/** basic.recover, basic.recover-async @throws AmqpError 540 */
export async function recover(
  channel: ChannelState,
  { requeue }: MethodArguments['basic.recover'],
  isAnswered: boolean,
): Promise<void> {
  if (!requeue) throw new AmqpError('not-implemented', 'requeue=false');
  const givenBack = giveAllBack(channel);
  if (!isAnswered) return;
  await givenBack;
  if (channel.isClosed) return;
  channel.host.writer.method(channel.number, 'basic.recover-ok');
  channel.host.flush();
}

function end(channel: ChannelState, tag: number, isMultiple: boolean, as: Settlement): void {
  const { transaction } = channel;
  if (!isMultiple) {
    const delivery = takeDelivery(channel, tag);
    if (transaction === null) settle(channel, delivery, as);
    else transaction.settlements.push({ delivery, as });
    return;
  }
  for (const delivery of takeDeliveries(channel, tag)) {
    if (transaction === null) settle(channel, delivery, as);
    else transaction.settlements.push({ delivery, as });
  }
}
