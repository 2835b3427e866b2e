import type { QueueRef } from '../../core/driver.ts';
import type { CallName, RequestOf } from './wire/calls.ts';

/** The queues that a call is about; a topology entry is named `kind/name`. */
export function concernedQueues(name: CallName, request: unknown): string[] {
  switch (name) {
    case 'publish': {
      const { items } = request as RequestOf<'publish'>;
      return namesOf(items.flatMap(({ targets }) => targets));
    }
    case 'take':
    case 'browse':
    case 'deleteQueue':
      return namesOf([(request as RequestOf<'take' | 'browse' | 'deleteQueue'>).queue]);
    case 'settle':
      return namesOf((request as RequestOf<'settle'>).map(({ queue }) => queue));
    case 'release':
    case 'extend':
      return namesOf(
        (request as RequestOf<'release' | 'extend'>).map(({ receipt }) => receipt.queue),
      );
    case 'move': {
      const items = request as RequestOf<'move'>;
      return namesOf(items.flatMap(({ receipt, targets }) => [receipt.queue, ...targets]));
    }
    case 'counts':
    case 'purge':
      return namesOf([request as QueueRef]);
    case 'topology.put':
    case 'topology.remove': {
      const entry = request as RequestOf<'topology.put' | 'topology.remove'>;
      return [`${entry.kind}/${entry.name}`];
    }
    case 'sweep':
    case 'get':
    case 'now':
    case 'topology.load':
      return [];
  }
}

/** What a publish evicts goes to another queue, which it is about then, too. */
function namesOf(queues: readonly QueueRef[]): string[] {
  const names = new Set<string>();
  for (const { name, evictTo } of queues) {
    names.add(name);
    if (evictTo !== null) names.add(evictTo.name);
  }
  return [...names];
}
