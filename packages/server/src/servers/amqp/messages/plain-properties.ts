import { ValidationError } from 'wherry';
import { PROPERTIES } from '../../../protocols/amqp/method-table.ts';
import type { Properties } from '../../../protocols/amqp/properties.ts';
import { plainTable, tableOf } from '../../../protocols/amqp/table.ts';

type Plain = Readonly<Record<string, unknown>>;

/** Characters of a value that an error shows. */
const SHOWN_MAX = 80;

/** Names as RabbitMQ's HTTP API has them: `delivery_mode`. */
const BY_PLAIN_NAME = new Map(
  PROPERTIES.map(([name, type]) => [
    name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    { name, type },
  ]),
);

export function plainProperties(properties: Properties): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [plainName, { name }] of BY_PLAIN_NAME) {
    const value = properties[name];
    if (value === undefined) continue;
    plain[plainName] = name === 'headers' ? plainTable(properties.headers!) : value;
  }
  return plain;
}

/** @throws ValidationError naming the property that is wrong */
export function propertiesOf(plain: Plain): Properties {
  const properties: Record<string, unknown> = {};
  for (const [plainName, value] of Object.entries(plain)) {
    const known = BY_PLAIN_NAME.get(plainName);
    // As RabbitMQ does with what it does not know.
    if (known === undefined || value === null) continue;
    properties[known.name] = propertyOf(plainName, known.type, value);
  }
  return properties;
}

function propertyOf(name: string, type: string, value: unknown): unknown {
  const wrong = (expected: string): never => {
    const shown = JSON.stringify(value).slice(0, SHOWN_MAX);
    throw new ValidationError(`properties.${name} is ${shown}; it must be ${expected}.`);
  };
  switch (type) {
    case 'shortstr':
      if (typeof value === 'number') return String(value);
      return typeof value === 'string' && Buffer.byteLength(value) <= 255
        ? value
        : wrong('a text of at most 255 bytes');
    case 'octet':
      return isInteger(value, 255) ? value : wrong('an integer from 0 to 255');
    case 'timestamp':
      return isInteger(value, Number.MAX_SAFE_INTEGER) ? value : wrong('whole seconds since 1970');
    default:
      return typeof value === 'object' && !Array.isArray(value)
        ? tableOf(value as Plain)
        : wrong('an object');
  }
}

function isInteger(value: unknown, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}
