import type { DeathReason, Envelope } from 'wherry';
import * as z from 'zod';
import { cursorSchema, limitSchema, nameSchema, timeSchema } from './common.ts';

const REASONS: readonly DeathReason[] = [
  'rejected',
  'max-retries',
  'lease-expired',
  'expired',
  'overflow',
  'invalid',
];

const deadLetterQueueSchema = nameSchema
  .optional()
  .describe("A dead-letter queue; the system's when left out.");

export interface DeadLettersQuery {
  readonly queue?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export const deadLettersQuery: z.ZodType<DeadLettersQuery> = z.strictObject({
  queue: deadLetterQueueSchema,
  cursor: cursorSchema,
  limit: limitSchema,
});

export interface RedriveInput {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly ids?: string[] | undefined;
  readonly queue?: string | undefined;
  readonly reason?: DeathReason | undefined;
  readonly max?: number | undefined;
  readonly rate?: number | undefined;
}

export const redriveSchema: z.ZodType<RedriveInput> = z
  .strictObject({
    from: deadLetterQueueSchema,
    to: nameSchema.optional().describe('Left out: each to the queue that it died in last.'),
    ids: z.array(z.string().max(255)).optional().describe('Only these messages.'),
    queue: nameSchema.optional().describe('Only those that died in this queue last.'),
    reason: z.enum(REASONS).optional().describe('Only those that died of this last.'),
    max: z.int().min(0).optional().describe('At most so many.'),
    rate: z.number().min(0.001).optional().describe('At most so many a second.'),
  })
  .meta({ id: 'Redrive' });

export const redrivenSchema: z.ZodType = z
  .strictObject({
    moved: z.int(),
    skipped: z.int().describe('Left: their queue is gone or full, or somebody else holds them.'),
  })
  .meta({ id: 'Redriven' });

export const purgeDeadLettersSchema: z.ZodType<{ queue?: string | undefined }> = z.strictObject({
  queue: deadLetterQueueSchema,
});

/** Dead letters that died of the same, in the same place. */
export interface DeadLetterGroup {
  readonly deadLetterQueue: string;
  /** Null: they did not die, but were sent there. */
  readonly queue: string | null;
  readonly reason: DeathReason | null;
  count: number;
  oldest: number;
  newest: number;
  error: string | null;
}

export const summarySchema: z.ZodType = z
  .strictObject({
    groups: z.array(
      z.strictObject({
        deadLetterQueue: z.string(),
        queue: z.string().nullable().describe('Where they died; null: they were sent here.'),
        reason: z.enum(REASONS).nullable(),
        count: z.int(),
        oldest: timeSchema,
        newest: timeSchema,
        error: z.string().nullable().describe('Of the newest.'),
      }),
    ),
    complete: z.boolean().describe('false: there are more than were counted.'),
  })
  .meta({ id: 'DeadLetterSummary' });

/** Groups messages by where and of what they died last. */
export class DeadLetterGroups {
  readonly #groups = new Map<string, DeadLetterGroup>();

  add(
    deadLetterQueue: string,
    { deaths, timestamp }: Pick<Envelope, 'deaths' | 'timestamp'>,
  ): void {
    const death = deaths.at(-1);
    const queue = death?.queue ?? null;
    const reason = death?.reason ?? null;
    const time = death?.time ?? timestamp;
    const key = JSON.stringify([deadLetterQueue, queue, reason]);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { deadLetterQueue, queue, reason, count: 0, oldest: time, newest: time, error: null };
      this.#groups.set(key, group);
    }
    group.count++;
    group.oldest = Math.min(group.oldest, time);
    if (time < group.newest) return;
    group.newest = time;
    group.error = death?.error ?? null;
  }

  /** The largest first. */
  list(): DeadLetterGroup[] {
    return [...this.#groups.values()].toSorted((a, b) => b.count - a.count);
  }
}
