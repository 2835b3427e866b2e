import type { Queue } from 'wherry';
import type { Table } from '../../../protocols/amqp/table.ts';
import { integerOf } from './argument-checks.ts';
import {
  type DeclaredProperties,
  overflowOf,
  type Overflow,
  type QueueType,
  queueTypeOf,
} from './queue-arguments.ts';
import { amqpAttributes, packTable, unpackTable } from './stored-arguments.ts';

/** What a queue is to AMQP. */
export interface QueueTraits extends DeclaredProperties {
  /** False: it was made by the library or over HTTP, and is durable, with no arguments. */
  readonly isDeclared: boolean;
  readonly type: QueueType;
  readonly arguments: Table;
  /** The connection that an exclusive queue belongs to. */
  readonly owner: string | null;
  /** How often a message may be given back; null: any number of times. */
  readonly deliveryLimit: number | null;
  readonly singleActiveConsumer: boolean;
  readonly overflow: Overflow;
  /** Why nothing may wait in it: its messages have no time, or no room; null: they may. */
  readonly forbidsWaiting: 'expired' | 'overflow' | null;
  /** Milliseconds that a consumer may take for a message; null: as long as it likes. */
  readonly consumerTimeout: number | null;
  /** x-message-deduplication: the header x-deduplication-header counts. */
  readonly deduplicates: boolean;
}

const known = new WeakMap<Queue, QueueTraits>();

/** Looked up once for each version of a queue. */
export function queueTraits(queue: Queue): QueueTraits {
  let traits = known.get(queue);
  if (traits === undefined) {
    traits = readTraits(queue);
    known.set(queue, traits);
  }
  return traits;
}

/** What `queueTraits` reads, for a queue that is to be made. */
export function queueAttributes(
  properties: DeclaredProperties,
  table: Table,
  owner: string | null,
): Record<string, unknown> {
  const { durable, exclusive, autoDelete } = properties;
  return { amqp: { durable, exclusive, autoDelete, owner, arguments: packTable(table) } };
}

function readTraits(queue: Queue): QueueTraits {
  const stored = amqpAttributes(queue.attributes);
  const table = unpackTable(stored?.['arguments']);
  const deliveryLimit = integerOf(table.get('x-delivery-limit')) ?? -1;
  const owner = stored?.['owner'];
  return {
    isDeclared: stored !== null,
    type: queueTypeOf(table),
    arguments: table,
    durable: stored === null || stored['durable'] === true,
    exclusive: stored?.['exclusive'] === true,
    autoDelete: stored?.['autoDelete'] === true,
    owner: typeof owner === 'string' ? owner : null,
    deliveryLimit: deliveryLimit < 0 ? null : deliveryLimit,
    singleActiveConsumer: isTrue(table, 'x-single-active-consumer'),
    overflow: stored === null ? overflowOfSettings(queue) : overflowOf(table),
    forbidsWaiting: forbidsWaiting(table),
    consumerTimeout: integerOf(table.get('x-consumer-timeout')) ?? null,
    deduplicates: isTrue(table, 'x-message-deduplication'),
  };
}

function forbidsWaiting(table: Table): QueueTraits['forbidsWaiting'] {
  const isNothing = (key: string): boolean => integerOf(table.get(key)) === 0;
  if (isNothing('x-max-length') || isNothing('x-max-length-bytes')) return 'overflow';
  return isNothing('x-message-ttl') ? 'expired' : null;
}

function overflowOfSettings({ settings }: Queue): Overflow {
  return settings.overflow === 'drop-oldest' ? 'drop-head' : 'reject-publish';
}

function isTrue(table: Table, key: string): boolean {
  const value = table.get(key);
  return value?.type === 't' && value.value;
}
