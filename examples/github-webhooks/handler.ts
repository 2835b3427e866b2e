import { setTimeout as sleep } from 'node:timers/promises';
import { type DeathReason, type Delivery, RejectError } from 'wherry';
import { digestOf } from './corpus.ts';
import type { Route } from './routes.ts';

/** How a webhook left a queue: a handler finished with it, or why it is among the dead letters. */
export type End = 'handled' | DeathReason;

/** One webhook's way out of one queue. */
export interface Outcome {
  readonly queue: string;
  /** The webhook's `delivery`. */
  readonly delivery: string;
  /** Of the body as it came out. */
  readonly digest: string;
  readonly end: End;
}

/** A message in a queue that a handler finished, with how long it took to get there. */
export interface Handled extends Outcome {
  readonly priority: number;
  /** Milliseconds from when it was stored to when its handler was done, retries included. */
  readonly latency: number;
}

/** What goes wrong with a webhook, decided by its digest so that each run does the same. */
type Fate = 'succeeds' | 'succeeds on the third try' | 'always fails' | 'is rejected';

function fateOf(digest: string): Fate {
  const draw = Number.parseInt(digest.slice(0, 2), 16);
  if (draw < 5) return 'is rejected';
  if (draw < 12) return 'always fails';
  if (draw < 32) return 'succeeds on the third try';
  return 'succeeds';
}

/** The ends that a webhook may come to in a queue. */
export function possibleEnds(digest: string, route: Route): End[] {
  const ends: Record<Fate, End> = {
    succeeds: 'handled',
    'succeeds on the third try': 'handled',
    'always fails': 'max-retries',
    'is rejected': 'rejected',
  };
  const mayExpire = (route.queue.messageTtl ?? null) !== null;
  return [ends[fateOf(digest)], ...(mayExpire ? (['expired'] as const) : [])];
}

/** Works on one message, and fails on purpose where that is the webhook's fate. */
export async function handleWebhook(
  route: Route,
  delivery: Delivery<Uint8Array>,
): Promise<Handled> {
  const digest = digestOf(delivery.payload);
  await sleep(route.work);
  const fate = fateOf(digest);
  if (fate === 'is rejected') throw new RejectError('no retry would help');
  if (fate === 'always fails') throw new Error('the service refuses it');
  if (fate === 'succeeds on the third try' && delivery.retryCount < 2) {
    throw new Error('the service is busy');
  }
  return {
    queue: delivery.queueName,
    delivery: deliveryOf(delivery.message),
    digest,
    end: 'handled',
    priority: delivery.priority,
    latency: Date.now() - delivery.timestamp,
  };
}

/** The webhook that a message carries. */
export function deliveryOf(message: {
  readonly headers?: Readonly<Record<string, unknown>>;
}): string {
  return String(message.headers?.['X-GitHub-Delivery']);
}
