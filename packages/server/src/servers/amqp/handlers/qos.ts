import { AmqpError } from '../../../protocols/amqp/errors.ts';
import type { MethodArguments } from '../../../protocols/amqp/methods.ts';
import type { ChannelState } from '../messages/channel-state.ts';

/**
 * basic.qos, as RabbitMQ has it: `global` is for all consumers of the channel together, otherwise
 * it is for each consumer that begins from now on.
 * @throws AmqpError 540
 */
export function qos(channel: ChannelState, args: MethodArguments['basic.qos']): void {
  const { prefetchSize, prefetchCount } = args;
  if (prefetchSize !== 0) {
    throw new AmqpError('not-implemented', `prefetch_size!=0 (${prefetchSize})`);
  }
  if (args.global) {
    channel.globalPrefetch = prefetchCount;
    channel.wakeConsumers();
  } else channel.prefetch = prefetchCount;
  channel.host.writer.method(channel.number, 'basic.qos-ok');
  channel.host.flush();
}
