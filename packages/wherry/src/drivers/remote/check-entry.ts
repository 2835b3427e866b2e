import { ValidationError } from '../../core/errors.ts';
import { mergeQueueSettings } from '../../core/queue-settings.ts';
import {
  type Binding,
  type Exchange,
  parseBinding,
  parseExchange,
} from '../../core/routing/exchange.ts';
import { parseLine } from '../../core/transfer/archive.ts';
import { isObject } from './wire/codec.ts';

interface Entry {
  readonly kind: string;
  readonly name: string;
  readonly value: unknown;
}

/**
 * Checks a topology entry of a client before it is stored: every process that opens the store reads
 * it, so one that cannot be read would be the end of them all. Kinds that are not known here pass.
 * @throws ValidationError
 */
export function checkEntry({ kind, name, value }: Entry): void {
  const check = CHECKS[kind];
  if (check === undefined) return;
  try {
    if (!isObject(value)) throw new ValidationError('It is not an object.');
    check(value, name);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ValidationError(`The ${kind} '${name}' cannot be stored. ${reason}`);
  }
}

const CHECKS: Readonly<Partial<Record<string, (value: object, name: string) => unknown>>> = {
  // A null prototype: the kind of an entry may be any text.
  __proto__: null as never,
  queue: checkQueue,
  exchange: (value, name) => {
    const { name: own } = parseExchange(value as Exchange);
    if (own !== name) throw new ValidationError(`Its value is that of exchange '${own}'.`);
  },
  binding: (value) => parseBinding(value as Binding),
  schedule: (value, name) => parseLine({ kind: 'schedule', name, value }),
};

function checkQueue(value: object): void {
  const { settings = {}, createdAt = 0 } = value as { settings?: unknown; createdAt?: unknown };
  if (!isObject(settings)) throw new ValidationError('Its settings are not an object.');
  if (typeof createdAt !== 'number') throw new ValidationError('Its createdAt is not a number.');
  mergeQueueSettings(settings);
}
