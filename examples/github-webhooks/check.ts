import type { QueueInfo } from 'wherry';
import type { Webhook } from './corpus.ts';
import type { End, Outcome } from './handler.ts';

/** A queue as far as the check is concerned. */
export interface CheckedQueue {
  readonly name: string;
  readonly patterns: readonly string[];
  /** The ends that a webhook with this digest may come to here. */
  readonly possibleEnds: (digest: string) => readonly End[];
}

/** Something that must not be. */
export interface Problem {
  readonly kind: 'missing' | 'doubled' | 'damaged' | 'astray' | 'wrong end' | 'miscounted';
  readonly queue: string;
  /** The webhook; null when it is about the queue. */
  readonly delivery: string | null;
  readonly detail: string;
}

type Published = Pick<Webhook, 'delivery' | 'routingKey' | 'digest'>;

/**
 * Holds what came out of the queues against what was published. Where each webhook must come out
 * is worked out here by a matcher of its own, so that a fault in Wherry's router would show.
 * @returns what is wrong; nothing when each webhook came out of each queue that its key matches,
 *   exactly once, with the bytes that went in, handled or as a dead letter
 */
export function check(
  published: readonly Published[],
  outcomes: readonly Outcome[],
  queues: readonly CheckedQueue[],
): Problem[] {
  return queues.flatMap((queue) => {
    const byDelivery = new Map<string, Outcome[]>();
    for (const outcome of outcomes) {
      if (outcome.queue !== queue.name) continue;
      const others = byDelivery.get(outcome.delivery);
      if (others === undefined) byDelivery.set(outcome.delivery, [outcome]);
      else others.push(outcome);
    }
    const problems = published
      .filter(({ routingKey }) => matchesAny(queue.patterns, routingKey))
      .flatMap((webhook) => {
        const found = byDelivery.get(webhook.delivery) ?? [];
        byDelivery.delete(webhook.delivery);
        return checkOne(webhook, found, queue);
      });
    const astray = [...byDelivery.keys()].map((delivery): Problem => {
      return { kind: 'astray', queue: queue.name, delivery, detail: 'does not belong here' };
    });
    return [...problems, ...astray];
  });
}

function checkOne(webhook: Published, found: readonly Outcome[], queue: CheckedQueue): Problem[] {
  const { delivery, digest } = webhook;
  const problem = (kind: Problem['kind'], detail: string): Problem[] => {
    return [{ kind, queue: queue.name, delivery, detail }];
  };
  const ends = found.map(({ end }) => end);
  if (ends.length === 0) return problem('missing', 'neither handled nor among the dead letters');
  if (ends.length > 1)
    return problem('doubled', `came out ${ends.length} times: ${ends.join(', ')}`);
  const [outcome] = found as [Outcome];
  if (outcome.digest !== digest) return problem('damaged', `${digest} became ${outcome.digest}`);
  const possible = queue.possibleEnds(digest);
  if (possible.includes(outcome.end)) return [];
  return problem('wrong end', `${outcome.end} instead of ${possible.join(' or ')}`);
}

/** Holds the queues' own counters against what was seen to come out. */
export function checkCounters(
  queues: readonly Pick<QueueInfo, 'name' | 'counters'>[],
  outcomes: readonly Outcome[],
): Problem[] {
  return queues.flatMap(({ name, counters }) => {
    const here = outcomes.filter(({ queue }) => queue === name);
    const handled = here.filter(({ end }) => end === 'handled').length;
    const seen = {
      enqueued: here.length,
      acknowledged: handled,
      deadLettered: here.length - handled,
    };
    const wrong = (Object.keys(seen) as (keyof typeof seen)[]).filter(
      (counter) => counters[counter] !== seen[counter],
    );
    return wrong.map((counter): Problem => {
      const detail = `${counter} is ${counters[counter]}, ${seen[counter]} were seen`;
      return { kind: 'miscounted', queue: name, delivery: null, detail };
    });
  });
}

function matchesAny(patterns: readonly string[], routingKey: string): boolean {
  const words = routingKey.split('.');
  return patterns.some((pattern) => matches(pattern.split('.'), words));
}

/** The definition of a topic pattern, word by word, and nothing clever. */
function matches([first, ...rest]: readonly string[], words: readonly string[]): boolean {
  if (first === undefined) return words.length === 0;
  if (first === '#') {
    return matches(rest, words) || (words.length > 0 && matches([first, ...rest], words.slice(1)));
  }
  if (words.length === 0) return false;
  return (first === '*' || first === words[0]) && matches(rest, words.slice(1));
}
