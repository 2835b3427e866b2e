import type { Exchange } from 'wherry';
import { type Table, tableOf } from '../../../protocols/amqp/table.ts';
import { DELAYED_TYPE } from './exchange-arguments.ts';
import { amqpAttributes, packTable, unpackTable } from './stored-arguments.ts';

/** What an exchange is to AMQP. */
export interface ExchangeTraits {
  /** As it was declared: beside the types of routing, x-delayed-message. */
  readonly type: string;
  /** The header x-delay counts. */
  readonly isDelayed: boolean;
  readonly durable: boolean;
  /** It goes with the last of the bindings from it. */
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Table;
}

const known = new WeakMap<Exchange, ExchangeTraits>();

export function exchangeTraits(exchange: Exchange): ExchangeTraits {
  let traits = known.get(exchange);
  if (traits === undefined) {
    traits = readTraits(exchange);
    known.set(exchange, traits);
  }
  return traits;
}

/** What `exchangeTraits` reads, for an exchange that is to be made. */
export function exchangeAttributes({
  type,
  durable,
  autoDelete,
  arguments: table,
}: Pick<ExchangeTraits, 'type' | 'durable' | 'autoDelete' | 'arguments'>): Record<string, unknown> {
  return { amqp: { type, durable, autoDelete, arguments: packTable(table) } };
}

function readTraits(exchange: Exchange): ExchangeTraits {
  const stored = amqpAttributes(exchange.attributes);
  const type = stored?.['type'];
  // Made by the library or over HTTP: what AMQP would have to say for the same.
  const others = { 'alternate-exchange': exchange.alternateExchange ?? undefined };
  return {
    type: typeof type === 'string' ? type : exchange.type,
    isDelayed: type === DELAYED_TYPE,
    durable: stored === null || stored['durable'] === true,
    autoDelete: stored?.['autoDelete'] === true,
    internal: exchange.internal,
    arguments: stored === null ? tableOf(others) : unpackTable(stored['arguments']),
  };
}
