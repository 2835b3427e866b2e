import type { Method, MethodArguments, MethodName } from '../../../protocols/amqp/methods.ts';
import {
  cleanName,
  type DefinitionChannel,
  requireNotDefault,
  requireUnreserved,
} from '../definitions/definition-channel.ts';
import { alternateExchangeOf, routingTypeOf } from '../definitions/exchange-arguments.ts';
import type { BindingRequest } from '../definitions/exchange-registry.ts';
import { accessRefused, resourceText } from '../definitions/refuse.ts';
import { requireWrite } from './publish.ts';

type Arguments<N extends MethodName> = MethodArguments[N];
type ReplyName =
  | 'exchange.declare-ok'
  | 'exchange.delete-ok'
  | 'exchange.bind-ok'
  | 'exchange.unbind-ok';

/** @returns null: it is no method of exchanges. Rejects with an AmqpError */
export function handleExchange(channel: DefinitionChannel, method: Method): Promise<void> | null {
  switch (method.name) {
    case 'exchange.declare':
      return declare(channel, method.args);
    case 'exchange.delete':
      return remove(channel, method.args);
    case 'exchange.bind':
      return bind(channel, method.args);
    case 'exchange.unbind':
      return unbind(channel, method.args);
    default:
      return null;
  }
}

async function declare(
  channel: DefinitionChannel,
  args: Arguments<'exchange.declare'>,
): Promise<void> {
  const { host } = channel;
  const { exchanges, name: vhost } = host.vhost;
  const name = cleanName(args.exchange);
  if (args.passive) {
    requireNotDefault(name);
    exchanges.check(name);
  } else {
    // An unknown type is refused even where the exchange is there.
    routingTypeOf(args.type, args.arguments);
    requireNotDefault(name);
    host.require('configure', name, 'exchange');
    const authorize = (): void => {
      requireUnreserved('exchange', name);
      const what = resourceText('exchange', name, vhost);
      const alternate = alternateExchangeOf(args.arguments, what);
      if (alternate === null) return;
      host.require('read', name, 'exchange');
      requireWrite(host, alternate, '');
    };
    await exchanges.declare({ ...args, name, authorize });
  }
  reply(channel, 'exchange.declare-ok', args.nowait);
}

async function remove(
  channel: DefinitionChannel,
  args: Arguments<'exchange.delete'>,
): Promise<void> {
  const { host } = channel;
  const name = cleanName(args.exchange);
  requireNotDefault(name);
  if (name.startsWith('amq.')) {
    const what = resourceText('exchange', name, host.vhost.name);
    throw accessRefused(`deletion of system ${what} not allowed`);
  }
  host.require('configure', name, 'exchange');
  await host.vhost.exchanges.delete(name, { ifUnused: args.ifUnused });
  reply(channel, 'exchange.delete-ok', args.nowait);
}

async function bind(channel: DefinitionChannel, args: Arguments<'exchange.bind'>): Promise<void> {
  const request = bindingOf(channel, args);
  await channel.host.vhost.exchanges.bind(request);
  reply(channel, 'exchange.bind-ok', args.nowait);
}

async function unbind(
  channel: DefinitionChannel,
  args: Arguments<'exchange.unbind'>,
): Promise<void> {
  const request = bindingOf(channel, args);
  await channel.host.vhost.exchanges.unbind(request);
  reply(channel, 'exchange.unbind-ok', args.nowait);
}

function bindingOf(
  { host }: DefinitionChannel,
  args: Arguments<'exchange.bind' | 'exchange.unbind'>,
): BindingRequest {
  const source = cleanName(args.source);
  const destination = cleanName(args.destination);
  host.require('write', destination, 'exchange');
  requireNotDefault(destination);
  requireNotDefault(source);
  host.require('read', source, 'exchange');
  return {
    source,
    destination: { kind: 'exchange', name: destination },
    routingKey: args.routingKey,
    arguments: args.arguments,
  };
}

function reply({ host, number }: DefinitionChannel, name: ReplyName, nowait: boolean): void {
  if (nowait) return;
  host.writer.method(number, name, {});
  host.flush();
}
