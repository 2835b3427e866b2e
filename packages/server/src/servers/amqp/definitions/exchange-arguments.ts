import type { ExchangeType } from 'wherry';
import type { AmqpError } from '../../../protocols/amqp/errors.ts';
import type { Table } from '../../../protocols/amqp/table.ts';
import { textOf } from './argument-checks.ts';
import { preconditionFailed } from './refuse.ts';
import { requireTextArgument } from './queue-arguments.ts';

/** The exchange type of RabbitMQ's plug-in for delayed messages, which is built in here. */
export const DELAYED_TYPE = 'x-delayed-message';

const ROUTING_TYPES: ReadonlySet<string> = new Set(['direct', 'fanout', 'topic', 'headers']);

/** Those that a redeclaration must have equal. */
export function comparedExchangeArguments(type: string): readonly string[] {
  const always = ['alternate-exchange'];
  return type === DELAYED_TYPE ? [...always, 'x-delayed-type'] : always;
}

/**
 * How an exchange chooses among its bindings.
 * @param type as it is declared
 * @throws AmqpError 406: there is no such type. (RabbitMQ closes the connection for it, with 503.)
 */
export function routingTypeOf(type: string, table: Table): ExchangeType {
  if (type !== DELAYED_TYPE) {
    if (ROUTING_TYPES.has(type)) return type as ExchangeType;
    throw unknownType(type);
  }
  const behind = textOf(table.get('x-delayed-type'));
  if (behind !== undefined && ROUTING_TYPES.has(behind)) return behind as ExchangeType;
  throw preconditionFailed("Invalid argument, 'x-delayed-type' must be an existing exchange type");
}

/**
 * @param what as `resourceText` names it
 * @returns where goes what matches no binding; null: nowhere
 * @throws AmqpError 406
 */
export function alternateExchangeOf(table: Table, what: string): string | null {
  requireTextArgument(table, 'alternate-exchange', what);
  return textOf(table.get('alternate-exchange')) ?? null;
}

/** RabbitMQ says the one of some names and the other of others, and clients look for either. */
function unknownType(type: string): AmqpError {
  return preconditionFailed(`invalid exchange type '${type}': unknown exchange type`);
}
