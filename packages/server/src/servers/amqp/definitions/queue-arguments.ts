import type { QueueConfig } from 'wherry';
import type { Table } from '../../../protocols/amqp/table.ts';
import {
  type ArgumentCheck,
  atMost,
  boolean,
  expiry,
  integer,
  integerOf,
  notNegative,
  oneOf,
  positive,
  quoted,
  text,
  textOf,
  timeToLive,
} from './argument-checks.ts';
import { typeName } from './erlang-terms.ts';
import { preconditionFailed } from './refuse.ts';

/** What a queue is to RabbitMQ; to Wherry both are the same, and keep what is confirmed. */
export type QueueType = 'classic' | 'quorum';

export type Overflow = 'drop-head' | 'reject-publish' | 'reject-publish-dlx';

const QUEUE_TYPES: readonly string[] = ['classic', 'quorum'];
const OVERFLOWS: readonly Overflow[] = ['drop-head', 'reject-publish', 'reject-publish-dlx'];
const PRIORITY_MAX = 255;
/** How long a message without any time lives on its way to a consumer that waits for it. */
export const HAND_OVER_MS = 1_000;

const queueVersion: ArgumentCheck = (value, all) => {
  const version = integerOf(value);
  if (version === 1 || version === 2) return null;
  return notNegative(value, all) ?? quoted(`unsupported queue version '${version}'`);
};

const deadLetterRoutingKey: ArgumentCheck = (value, all) =>
  text(value, all) ?? (all.has('x-dead-letter-exchange') ? null : 'routing_key_but_no_dlx_defined');

/** In the order in which a redeclaration is compared: the first difference is the one told. */
const CHECKS: Readonly<Record<string, ArgumentCheck>> = {
  'x-queue-type': oneOf(QUEUE_TYPES, (type) => quoted(`unsupported queue type '${type}'`)),
  'x-expires': expiry,
  'x-message-ttl': timeToLive,
  'x-dead-letter-exchange': text,
  'x-dead-letter-routing-key': deadLetterRoutingKey,
  'x-dead-letter-strategy': oneOf(['at-most-once', 'at-least-once'], () => 'invalid_dlx_strategy'),
  'x-max-length': notNegative,
  'x-max-length-bytes': notNegative,
  'x-max-in-memory-length': notNegative,
  'x-max-in-memory-bytes': notNegative,
  'x-max-priority': atMost(PRIORITY_MAX),
  'x-overflow': oneOf(OVERFLOWS, () => 'invalid_overflow'),
  'x-queue-mode': oneOf(['default', 'lazy'], (mode) => quoted(`unsupported queue mode '${mode}'`)),
  'x-queue-version': queueVersion,
  'x-single-active-consumer': boolean,
  'x-quorum-initial-group-size': positive,
  'x-queue-leader-locator': oneOf(
    ['client-local', 'balanced', 'random', 'least-leaders'],
    () => 'invalid_queue_locator_arg',
  ),
  'x-delivery-limit': integer,
  'x-consumer-timeout': notNegative,
  'x-message-deduplication': boolean,
};

/** Every argument that means something for a queue. */
export const QUEUE_ARGUMENTS: readonly string[] = Object.keys(CHECKS);

/**
 * What RabbitMQ refuses on a queue of the other type. Not among them: x-max-priority of a quorum queue and
 * x-delivery-limit of a classic one, which RabbitMQ cannot do, and which work here.
 */
const ONLY_FOR: Readonly<Record<QueueType, readonly string[]>> = {
  classic: ['x-queue-mode', 'x-queue-version', 'x-queue-master-locator'],
  quorum: [
    'x-dead-letter-strategy',
    'x-max-in-memory-length',
    'x-max-in-memory-bytes',
    'x-quorum-initial-group-size',
    'x-queue-leader-locator',
  ],
};
const STREAMS_ONLY = ['x-max-age', 'x-stream-max-segment-size-bytes', 'x-initial-cluster-size'];

/** What of a declaration is not in its arguments. */
export interface DeclaredProperties {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
}

/** A queue that names no type is a classic one. */
export function queueTypeOf(table: Table): QueueType {
  return textOf(table.get('x-queue-type')) === 'quorum' ? 'quorum' : 'classic';
}

/**
 * @returns the names of those that a redeclaration must have equal; other ones may differ. To say
 *   'classic' is the same as to say nothing.
 */
export function comparedArguments(received: Table, current: Table): readonly string[] {
  const isSameType = queueTypeOf(received) === queueTypeOf(current);
  return QUEUE_ARGUMENTS.filter((key) => key !== 'x-queue-type' || !isSameType);
}

/** @throws AmqpError 406 */
export function requireTextArgument(table: Table, key: string, what: string): void {
  const value = table.get(key);
  if (value === undefined || value.type === 'S') return;
  throw preconditionFailed(`invalid type '${typeName(value)}' for arg '${key}' in ${what}`);
}

/**
 * Checks the arguments of a queue that is to be made.
 * @param what as `resourceText` names it
 * @throws AmqpError 406 naming the first that is wrong
 */
export function checkQueueArguments(
  table: Table,
  { durable, exclusive, autoDelete }: DeclaredProperties,
  what: string,
): void {
  requireTextArgument(table, 'x-dead-letter-exchange', what);
  for (const [key, check] of Object.entries(CHECKS)) {
    const value = table.get(key);
    const complaint = value === undefined ? null : check(value, table);
    if (complaint !== null)
      throw preconditionFailed(`invalid arg '${key}' for ${what}: ${complaint}`);
  }
  const type = queueTypeOf(table);
  const other = type === 'classic' ? 'quorum' : 'classic';
  const misplaced = [...ONLY_FOR[other], ...STREAMS_ONLY].find((key) => table.has(key));
  if (misplaced !== undefined) {
    throw preconditionFailed(
      `invalid arg '${misplaced}' for ${what} of queue type rabbit_${type}_queue`,
    );
  }
  if (type === 'classic') return;
  const property = autoDelete ? 'auto-delete' : exclusive ? 'exclusive-owner' : 'non-durable';
  if (autoDelete || exclusive || !durable) {
    throw preconditionFailed(`invalid property '${property}' for ${what}`);
  }
}

/** What becomes of a message that finds the queue full; by default the oldest makes room. */
export function overflowOf(table: Table): Overflow {
  return (textOf(table.get('x-overflow')) as Overflow | undefined) ?? 'drop-head';
}

/** The settings by which core does what checked arguments say. */
export function queueSettingsOf(table: Table): Omit<QueueConfig, 'name'> {
  const maxSize = integerOf(table.get('x-max-length'));
  const maxBytes = integerOf(table.get('x-max-length-bytes'));
  const messageTtl = integerOf(table.get('x-message-ttl'));
  const isBounded = maxSize !== undefined || maxBytes !== undefined;
  return {
    // A bound of nothing would be a queue that is of no use: it holds a single message.
    maxSize: maxSize === undefined ? null : Math.max(1, maxSize),
    boundOn: 'waiting',
    maxBytes: maxBytes === undefined ? null : Math.max(1, maxBytes),
    overflow: isBounded && overflowOf(table) === 'drop-head' ? 'drop-oldest' : 'reject',
    // 0 says that only who waits already may have it: so long it is on its way there.
    messageTtl: messageTtl === 0 ? HAND_OVER_MS : (messageTtl ?? null),
    expiresAfterIdle: integerOf(table.get('x-expires')) ?? null,
    deadLetterExchange: textOf(table.get('x-dead-letter-exchange')) ?? null,
    deadLetterRoutingKey: textOf(table.get('x-dead-letter-routing-key')) ?? null,
    discardDeadLetters: true,
    maxPriority: integerOf(table.get('x-max-priority')) ?? 0,
    maxRetries: 1_000_000,
  };
}
