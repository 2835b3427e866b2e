import type { BindConfig, ExchangeType } from 'wherry';
import type { FieldValue, Table } from '../../../protocols/amqp/table.ts';
import { termText, typeName } from './erlang-terms.ts';
import { preconditionFailed } from './refuse.ts';
import { packTable } from './stored-arguments.ts';

type Headers = NonNullable<BindConfig['headers']>;
type HeadersMatch = NonNullable<BindConfig['match']>;

const MATCHES: ReadonlySet<string> = new Set(['all', 'any', 'all-with-x', 'any-with-x']);

/**
 * What the arguments of a binding are to core. They are a part of what the binding is: with other
 * ones, were it only the width of an integer, it is another binding; their order does not count.
 * @throws AmqpError 406
 */
export function bindingArguments(
  exchangeType: ExchangeType,
  table: Table,
): Pick<BindConfig, 'arguments' | 'headers' | 'match'> {
  if (table.size === 0 && exchangeType !== 'headers') return {};
  const sorted = new Map([...table].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const identity = { arguments: table.size === 0 ? null : packTable(sorted) };
  if (exchangeType !== 'headers') return identity;
  const match = matchOf(table.get('x-match'));
  const criteria = [...sorted].filter(([name]) => name !== 'x-match');
  const headers: Headers = Object.fromEntries(
    criteria.map(([name, value]) => [name, criterionOf(value)]),
  );
  return { ...identity, match, headers };
}

function matchOf(field: FieldValue | undefined): HeadersMatch {
  if (field === undefined) return 'all';
  if (field.type !== 'S') {
    throw preconditionFailed(
      `Invalid x-match field type ${typeName(field)} (value ${termText(field)}); expected longstr`,
    );
  }
  if (MATCHES.has(field.value as string)) return field.value as HeadersMatch;
  throw preconditionFailed(
    `Invalid x-match field value ${termText(field)}; expected all, any, all-with-x, or any-with-x`,
  );
}

/** What a header must be; null: it only has to be there. */
function criterionOf(field: FieldValue): Headers[string] {
  switch (field.type) {
    case 'V':
      return null;
    case 't':
      return field.value;
    case 'l':
    case 'T':
      return Number(field.value);
    case 'f':
    case 'd':
      return Number.isFinite(field.value) ? field.value : incomparable(field);
    case 'S':
      return typeof field.value === 'string' ? field.value : incomparable(field);
    case 'D':
    case 'x':
    case 'A':
    case 'F':
      return incomparable(field);
    default:
      return field.value;
  }
}

/** Headers of a kind that exchanges do not look at: no message has what is asked for. */
function incomparable(field: FieldValue): string {
  return `\u0000${typeName(field)}`;
}
