import type { AmqpQueue, PlainTable } from './amqp-side.ts';
import type { Policy } from './definitions.ts';
import { globsOf } from './permission-patterns.ts';

/** Parts of a policy that are arguments of queues as well, and settings here. */
const SETTINGS: ReadonlySet<string> = new Set([
  'dead-letter-exchange',
  'dead-letter-routing-key',
  'message-ttl',
  'expires',
  'max-length',
  'max-length-bytes',
  'overflow',
]);

/** Parts that say where RabbitMQ keeps a queue: here it is kept by the store. */
const PLACES = /^(?:ha-|queue-(?:mode|version|master-locator|leader-locator)$|max-in-memory-)/;

/** Of parts that both have, the lower counts. */
const LOWER: ReadonlySet<string> = new Set([
  'message-ttl',
  'expires',
  'max-length',
  'max-length-bytes',
]);

const APPLY_TO: Readonly<Record<string, (queue: AmqpQueue) => boolean>> = {
  all: () => true,
  queues: () => true,
  classic_queues: ({ type }) => type === 'classic',
  quorum_queues: ({ type }) => type === 'quorum',
};

/** What of a policy can be kept. */
export interface ReadPolicy {
  readonly policy: Policy;
  /** Queues whose names fit one of these. */
  readonly globs: readonly string[];
  readonly settings: PlainTable;
  /** What is not kept, and why. */
  readonly remarks: readonly string[];
}

/** @throws PatternError when globs cannot say which queues it is for */
export function readPolicy(policy: Policy): ReadPolicy {
  const globs = globsOf(policy.pattern);
  const settings: Record<string, unknown> = {};
  const remarks: string[] = [];
  for (const [key, value] of Object.entries(policy.definition)) {
    if (SETTINGS.has(key)) settings[key] = value;
    else if (PLACES.test(key)) remarks.push(`${key} is ignored: the store keeps the messages`);
    else remarks.push(`${key} is ignored; declare it as an argument of the queue or exchange`);
  }
  if (!Object.hasOwn(APPLY_TO, policy['apply-to'])) {
    remarks.push(`it applies to ${policy['apply-to']}, which take no policies here`);
  }
  return { policy, globs, settings, remarks };
}

/**
 * The policy that a queue is under: of those that fit, the one with the highest priority, alone.
 * @param matches whether a name fits a glob
 */
export function policyFor(
  queue: AmqpQueue,
  policies: readonly ReadPolicy[],
  matches: (glob: string, name: string) => boolean,
): ReadPolicy | undefined {
  return policies
    .filter(
      ({ policy, globs }) =>
        (APPLY_TO[policy['apply-to']]?.(queue) ?? false) &&
        globs.some((glob) => matches(glob, queue.name)),
    )
    .toSorted((a, b) => b.policy.priority - a.policy.priority)[0];
}

/** What a policy changes at a queue: what its own arguments say counts, but the lower of two numbers. */
export function effectiveSettings(queue: AmqpQueue, settings: PlainTable): PlainTable {
  const effective: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(settings)) {
    const own = queue.arguments[`x-${key}`];
    const isLower =
      LOWER.has(key) && typeof own === 'number' && typeof value === 'number' && value < own;
    if (own === undefined || isLower) effective[key] = value;
  }
  return effective;
}
