import type { BindConfig, ExchangeConfig, QueueConfig } from '../../src/index.ts';
import { type QueueRules, RESCUE_QUEUE } from './checker/model.ts';
import { Random } from './random.ts';

export const EXCHANGE = 'events';
export const SYSTEM_DEAD_LETTERS = 'dead-letter';
/** The only queue that is purged: what is missing there must equal what the purges answered. */
export const PURGED = 'scratch';

/** Where each routing key must lead, worked out by hand from `BINDINGS`. */
export const ROUTES: Readonly<Record<string, readonly string[]>> = {
  'order.new': ['plain', 'timed'],
  'order.urgent': ['grouped', 'plain', 'timed'],
  'alert.urgent': ['grouped'],
  'order.new.large': ['timed'],
};

const BINDINGS: readonly BindConfig[] = [
  { exchange: EXCHANGE, queue: 'plain', routingKey: 'order.*' },
  { exchange: EXCHANGE, queue: 'grouped', routingKey: '*.urgent' },
  { exchange: EXCHANGE, queue: 'timed', routingKey: 'order.#' },
];

/** The queues of a run. Their names say what they are for; the seed chooses their numbers. */
export interface Plan {
  readonly seed: number;
  readonly queues: readonly QueueConfig[];
  readonly exchanges: readonly ExchangeConfig[];
  readonly bindings: readonly BindConfig[];
  readonly rules: readonly QueueRules[];
}

interface PlannedQueue {
  readonly name: string;
  readonly maxRetries?: number;
  readonly backoff?: { readonly delay: number; readonly factor: number; readonly maxDelay: number };
  readonly deadLetterQueue?: string;
  readonly messageTtl?: number;
  readonly maxSize?: number;
  readonly overflow?: 'reject' | 'drop-oldest' | 'block';
}

export function makePlan(seed: number): Plan {
  const random = new Random(seed);
  const retries = (): Pick<PlannedQueue, 'maxRetries' | 'backoff'> => ({
    maxRetries: random.integer(1, 3),
    backoff: { delay: random.integer(5, 25), factor: random.pick([1, 2]), maxDelay: 40 },
  });
  const planned: PlannedQueue[] = [
    { name: 'plain-dead' },
    { name: 'timed-dead' },
    { name: 'bounded-dead' },
    { name: RESCUE_QUEUE },
    { name: 'plain', ...retries(), deadLetterQueue: 'plain-dead' },
    { name: 'work', ...retries() },
    { name: 'grouped', ...retries() },
    { name: 'batched', ...retries() },
    {
      name: 'timed',
      ...retries(),
      deadLetterQueue: 'timed-dead',
      messageTtl: random.integer(200, 600),
    },
    {
      name: 'bounded',
      ...retries(),
      deadLetterQueue: 'bounded-dead',
      maxSize: random.integer(4, 20),
      overflow: random.pick(['reject', 'drop-oldest', 'block'] as const),
    },
    { name: PURGED, ...retries() },
  ];
  return {
    seed,
    queues: planned.map(configOf),
    exchanges: [{ name: EXCHANGE, type: 'topic' }],
    bindings: BINDINGS,
    rules: [...planned, { name: SYSTEM_DEAD_LETTERS }].map(rulesOf),
  };
}

/** What stays unsaid here is Wherry's default, which `rulesOf` must know. */
function configOf({ backoff, ...settings }: PlannedQueue): QueueConfig {
  if (backoff === undefined) return settings;
  return { ...settings, backoff: { type: 'exponential', jitter: 0, ...backoff } };
}

function rulesOf(queue: PlannedQueue): QueueRules {
  const { name, deadLetterQueue } = queue;
  const isDeadLetters = name.endsWith('-dead') || name === SYSTEM_DEAD_LETTERS;
  return {
    name,
    maxRetries: queue.maxRetries ?? 3,
    deadLetters: deadLetterQueue ?? (isDeadLetters ? null : SYSTEM_DEAD_LETTERS),
    keepsExpired: deadLetterQueue !== undefined,
    messageTtl: queue.messageTtl ?? null,
    // The default back-off has a jitter of a fifth.
    backoff: queue.backoff ?? { delay: 800, factor: 1, maxDelay: 800 },
    maxSize: queue.maxSize ?? null,
    dropsOldest: queue.overflow === 'drop-oldest',
  };
}
