import type { MethodArguments } from '../../../protocols/amqp/methods.ts';
import type { ChannelState } from '../messages/channel-state.ts';
import { Confirms } from '../messages/confirms.ts';
import { preconditionFailed } from '../definitions/refuse.ts';

/** confirm.select @throws AmqpError 406 */
export function selectConfirms(
  channel: ChannelState,
  { nowait }: MethodArguments['confirm.select'],
): void {
  const { host, number } = channel;
  if (channel.transaction !== null) {
    throw preconditionFailed('cannot switch from tx to confirm mode');
  }
  channel.confirms ??= new Confirms(number, host);
  if (nowait) return;
  host.writer.method(number, 'confirm.select-ok');
  host.flush();
}
