import type { MessageQueueSystem } from 'wherry';
import type { Identity } from '../../access/identity.ts';
import { QueueLockedError } from '../../protocols/http/errors.ts';
import type { Route } from './route.ts';

/** Whether a route takes or changes what is in the queue of its path: to send to it is for all. */
export function usesQueue({ rule, opensLocked }: Route): boolean {
  if (rule.kind !== 'resource' || rule.of !== 'queue') return false;
  return rule.action !== 'write' && opensLocked !== true;
}

/**
 * An exclusive queue of AMQP is its connection's alone; administrators may help themselves.
 * @throws QueueLockedError
 */
export function requireUnlocked(mq: MessageQueueSystem, identity: Identity, name: string): void {
  if (identity.admin || !mq.queueManager.hasQueue(name)) return;
  const declared = mq.getQueue(name).attributes?.['amqp'] as { owner?: unknown } | undefined;
  if (typeof declared?.owner === 'string') throw new QueueLockedError(name);
}
