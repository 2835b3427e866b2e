import type { FieldValue, Table } from '../../../protocols/amqp/table.ts';
import { typeName } from './erlang-terms.ts';

/**
 * Looks at one argument of a declaration.
 * @returns what RabbitMQ says of a value that it does not take, as an Erlang term; null: it is fine
 */
export type ArgumentCheck = (value: FieldValue, all: Table) => string | null;

/** Ten years: the longest that RabbitMQ's timers take. */
export const EXPIRY_MAX_MS = 315_360_000_000;
const INTEGERS = 'bBsuIil';

/** @returns the number; undefined: it is no integer */
export function integerOf(field: FieldValue | undefined): number | undefined {
  return field !== undefined && INTEGERS.includes(field.type)
    ? Number((field as { value: number | bigint }).value)
    : undefined;
}

/** @returns the text; undefined: it is none */
export function textOf(field: FieldValue | undefined): string | undefined {
  return field?.type === 'S' ? field.value.toString() : undefined;
}

export const integer: ArgumentCheck = (value) =>
  integerOf(value) === undefined ? quoted(`expected integer, got ${typeName(value)}`) : null;

export const notNegative: ArgumentCheck = (value, all) =>
  integer(value, all) ?? (integerOf(value)! < 0 ? `{value_negative,${integerOf(value)}}` : null);

export const positive: ArgumentCheck = (value, all) =>
  notNegative(value, all) ?? (integerOf(value) === 0 ? '{value_zero,0}' : null);

export const timeToLive: ArgumentCheck = (value, all) =>
  notNegative(value, all) ??
  (integerOf(value)! > EXPIRY_MAX_MS ? `{value_too_large,${integerOf(value)}}` : null);

export const expiry: ArgumentCheck = (value, all) => positive(value, all) ?? timeToLive(value, all);

export const boolean: ArgumentCheck = (value) =>
  value.type === 't' ? null : unacceptableType(value);

export const text: ArgumentCheck = (value) => (value.type === 'S' ? null : unacceptableType(value));

export function atMost(max: number): ArgumentCheck {
  return (value, all) =>
    notNegative(value, all) ??
    (integerOf(value)! > max ? `{max_value_exceeded,${integerOf(value)}}` : null);
}

/** @param complaint about a text that is none of them */
export function oneOf(
  allowed: readonly string[],
  complaint: (value: string) => string,
): ArgumentCheck {
  return (value, all) => {
    const wrongType = text(value, all);
    if (wrongType !== null) return wrongType;
    const given = textOf(value)!;
    return allowed.includes(given) ? null : complaint(given);
  };
}

/** A text as an Erlang term. */
export function quoted(words: string): string {
  return `"${words}"`;
}

function unacceptableType(value: FieldValue): string {
  return `{unacceptable_type,${typeName(value)}}`;
}
