import { equalValues, type FieldValue, type Table } from '../../../protocols/amqp/table.ts';
import type { AmqpError } from '../../../protocols/amqp/errors.ts';
import { typeName, valueText } from './erlang-terms.ts';
import { preconditionFailed } from './refuse.ts';

/**
 * Holds what a declaration says against what there is.
 * @param what as `resourceText` names it
 * @throws AmqpError 406 naming what differs
 */
export function requireEqual(
  key: string,
  received: string | boolean,
  current: string | boolean,
  what: string,
): void {
  if (received !== current) throw inequivalent(key, `'${received}'`, `'${current}'`, what);
}

/**
 * The same for arguments: those of these names, of whatever width their integers are. Others may
 * differ, as with RabbitMQ.
 * @throws AmqpError 406 naming the first that differs
 */
export function requireEqualArguments(
  keys: readonly string[],
  received: Table,
  current: Table,
  what: string,
): void {
  for (const key of keys) {
    const a = received.get(key);
    const b = current.get(key);
    if (a === undefined && b === undefined) continue;
    if (a === undefined || b === undefined) {
      throw inequivalent(key, withType(a), withType(b), what);
    }
    if (!equalValues(a, b)) {
      throw inequivalent(key, `'${valueText(a)}'`, `'${valueText(b)}'`, what);
    }
  }
}

function withType(field: FieldValue | undefined): string {
  if (field === undefined) return 'none';
  return `the value '${valueText(field)}' of type '${typeName(field)}'`;
}

function inequivalent(key: string, received: string, current: string, what: string): AmqpError {
  return preconditionFailed(
    `inequivalent arg '${key}' for ${what}: received ${received} but current is ${current}`,
  );
}
