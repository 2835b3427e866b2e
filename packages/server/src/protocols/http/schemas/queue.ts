import type { Counters, QueueInfo, QueueSettings, QueueSettingsInput } from 'wherry';
import * as z from 'zod';
import {
  cursorSchema,
  durationSchema,
  limitSchema,
  millisecondsSchema,
  nameSchema,
  nextCursorSchema,
  timeSchema,
} from './common.ts';

const boundSchema = z.int().min(1).nullable();

const rateLimitSchema = z
  .strictObject({ max: z.int().min(1).max(1_000_000), per: durationSchema })
  .meta({ id: 'RateLimit', description: 'At most `max` messages in every `per`.' });

const backoffSchema = z.union([
  durationSchema,
  z.strictObject({
    type: z.enum(['fixed', 'exponential']).optional(),
    delay: durationSchema.optional(),
    factor: z.number().min(1).max(100).optional(),
    maxDelay: durationSchema.optional(),
    jitter: z.number().min(0).max(1).optional(),
  }),
]);

/** Settings of a queue as a client gives them. */
export const queueSettingsInputSchema: z.ZodType<QueueSettingsInput> = z
  .strictObject({
    maxSize: boundSchema.optional().describe('Most messages; null: no bound.'),
    maxBytes: boundSchema.optional().describe('Most bytes; null: no bound.'),
    boundOn: z
      .enum(['stored', 'waiting'])
      .optional()
      .describe('What the bounds count: messages in all states, or those not handed out.'),
    overflow: z
      .enum(['reject', 'drop-oldest', 'block'])
      .optional()
      .describe('What happens to a send at the bound.'),
    messageTtl: durationSchema.nullable().optional().describe('How long a message may wait.'),
    deadLetterQueue: nameSchema
      .nullable()
      .optional()
      .describe("Where dead messages go; null: the system's dead-letter queue."),
    deadLetterExchange: z
      .union([z.literal(''), nameSchema])
      .nullable()
      .optional()
      .describe('An exchange that dead messages go through, instead of `deadLetterQueue`.'),
    deadLetterRoutingKey: z
      .string()
      .nullable()
      .optional()
      .describe('By which key they go there; null: that under which they came.'),
    discardDeadLetters: z
      .boolean()
      .optional()
      .describe('Without one of its own: dead messages are dropped, not kept.'),
    maxPriority: z
      .int()
      .min(0)
      .max(255)
      .nullable()
      .optional()
      .describe('A message of a higher priority counts as one of this; null: 255.'),
    maxRetries: z
      .int()
      .min(0)
      .max(1_000_000)
      .optional()
      .describe('How often a failed message is tried again.'),
    backoff: backoffSchema.optional().describe('How long to wait before the next try.'),
    leaseDuration: durationSchema
      .optional()
      .describe('How long a receiver may hold a message before it settles or extends it.'),
    deduplicationWindow: durationSchema
      .optional()
      .describe('How long a deduplicationId is remembered; 0: never.'),
    maxInFlight: boundSchema.optional().describe('Most messages handed out at once.'),
    groupMaxInFlight: z.int().min(1).optional().describe('The same for each group.'),
    rateLimit: rateLimitSchema.nullable().optional(),
    groupRateLimit: rateLimitSchema.nullable().optional(),
    partitions: z.int().min(1).max(256).optional().describe('Over how many nodes it is spread.'),
    paused: z.boolean().optional().describe('Nothing is handed out while true.'),
    durable: z.boolean().optional().describe('false: in memory only.'),
    expiresAfterIdle: durationSchema
      .nullable()
      .optional()
      .describe('The queue is deleted when nobody used it for so long.'),
  } satisfies Record<keyof QueueSettings, z.ZodType>)
  .meta({ id: 'QueueSettingsInput' });

const rateLimitOutSchema = z.strictObject({ max: z.int(), per: millisecondsSchema }).nullable();

const queueSettingsSchema = z
  .strictObject({
    maxSize: z.int().nullable(),
    maxBytes: z.int().nullable(),
    boundOn: z.enum(['stored', 'waiting']),
    overflow: z.enum(['reject', 'drop-oldest', 'block']),
    messageTtl: millisecondsSchema.nullable(),
    deadLetterQueue: z.string().nullable(),
    deadLetterExchange: z.string().nullable(),
    deadLetterRoutingKey: z.string().nullable(),
    discardDeadLetters: z.boolean(),
    maxPriority: z.int().nullable(),
    maxRetries: z.int(),
    backoff: z.strictObject({
      type: z.enum(['fixed', 'exponential']),
      delay: millisecondsSchema,
      factor: z.number(),
      maxDelay: millisecondsSchema,
      jitter: z.number(),
    }),
    leaseDuration: millisecondsSchema,
    deduplicationWindow: millisecondsSchema,
    maxInFlight: z.int().nullable(),
    groupMaxInFlight: z.int(),
    rateLimit: rateLimitOutSchema,
    groupRateLimit: rateLimitOutSchema,
    partitions: z.int(),
    paused: z.boolean(),
    durable: z.boolean(),
    expiresAfterIdle: millisecondsSchema.nullable(),
  } satisfies Record<keyof QueueSettings, z.ZodType>)
  .meta({ id: 'QueueSettings' });

const countersSchema = z.strictObject({
  enqueued: z.number(),
  delivered: z.number(),
  acknowledged: z.number(),
  retried: z.number(),
  deadLettered: z.number(),
  expired: z.number(),
  dropped: z.number(),
  leaseLost: z.number(),
} satisfies Record<keyof Counters, z.ZodType>);

export const queueSchema: z.ZodType = z
  .strictObject({
    name: z.string(),
    settings: queueSettingsSchema,
    createdAt: timeSchema,
    messageCount: z.int().describe('Messages in all states.'),
    ready: z.int(),
    scheduled: z.int(),
    leased: z.int(),
    bytes: z.int(),
    arrived: z.int().describe('Messages that came to the queue since it was made.'),
    oldestAge: millisecondsSchema
      .nullable()
      .describe('How long the longest-waiting ready message has been stored.'),
    consumerCount: z.int().describe('Consumers of this broker, long polls included.'),
    counters: countersSchema.describe('Of this broker, since it was started.'),
    rates: countersSchema.describe('Per second, over about the last minute.'),
  })
  .meta({ id: 'Queue' });

/** By what a list can be sorted. */
type Sort = 'name' | 'messageCount' | 'ready' | 'scheduled' | 'leased' | 'bytes' | 'oldestAge';

export interface QueueListQuery {
  readonly name?: string | undefined;
  readonly sort: Sort;
  readonly order: 'asc' | 'desc';
  readonly limit: number;
  readonly cursor?: string | undefined;
}

const SORTS: readonly Sort[] = [
  'name',
  'messageCount',
  'ready',
  'scheduled',
  'leased',
  'bytes',
  'oldestAge',
];

export const queueListQuery: z.ZodType<QueueListQuery> = z.strictObject({
  name: z.string().max(255).optional().describe('Only queues whose names contain this.'),
  sort: z.enum(SORTS).default('name'),
  order: z.enum(['asc', 'desc']).default('asc'),
  limit: limitSchema,
  cursor: cursorSchema,
});

export const queueListSchema: z.ZodType = z
  .strictObject({
    queues: z.array(queueSchema),
    total: z.int().describe('Queues that match, on all pages.'),
    cursor: nextCursorSchema,
  })
  .meta({ id: 'QueueList' });

/** The body of a `Queue`. */
export function queueBody(info: QueueInfo): Record<string, unknown> {
  const { maxSize: _maxSize, createdAt, ...rest } = info;
  return { ...rest, createdAt: createdAt.getTime() };
}
