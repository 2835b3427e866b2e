import * as z from 'zod';
import { problemSchema } from '../problem.ts';

/** Names of queues, exchanges, schedules …; the broker counts their bytes. */
export const nameSchema: z.ZodString = z
  .string()
  .min(1)
  .max(255)
  .describe('1 to 255 bytes of UTF-8 without control characters and outer spaces.');

const DURATION_ERROR =
  "it must be milliseconds, or a text such as '500ms', '30s', '5m', '2h', '7d'";

/** What the library takes as a duration. */
export const durationSchema: z.ZodType<number | string> = z
  .union(
    [
      z.number().min(0, { error: DURATION_ERROR }),
      z.string().regex(/^\d+(?:\.\d+)? ?(?:ms|s|m|h|d)$/, { error: DURATION_ERROR }),
    ],
    { error: DURATION_ERROR },
  )
  .meta({
    id: 'Duration',
    description: "Milliseconds, or a text such as `'30s'`, `'5m'`, `'2h'`.",
  });

/** Of responses. */
export const millisecondsSchema: z.ZodNumber = z.number().describe('Milliseconds.');
export const timeSchema: z.ZodNumber = z.number().describe('Milliseconds since 1970.');

const PAGE_MAX = 1_000;
const PAGE_DEFAULT = 100;

export const limitSchema: z.ZodType<number> = z.coerce
  .number()
  .int()
  .min(1)
  .max(PAGE_MAX)
  .default(PAGE_DEFAULT)
  .describe('Most entries of the page.');

export const cursorSchema: z.ZodOptional<z.ZodString> = z
  .string()
  .max(2_048)
  .optional()
  .describe('Where the page before ended: its `cursor`.');

export const nextCursorSchema: z.ZodNullable<z.ZodString> = z
  .string()
  .nullable()
  .describe('For the next page; null at the end.');

/** `?force`, `?force=true`: on; absent or `false`: off. */
export const flagSchema: z.ZodType<boolean> = z
  .enum(['', 'true', 'false', '1', '0'])
  .default('false')
  .transform((text) => text !== 'false' && text !== '0');

export const queueParams: z.ZodObject<{ queue: z.ZodString }> = z.strictObject({
  queue: nameSchema,
});

/** A result of one item of a batch: done, or the problem. */
export function resultSchema(id: string, done: z.ZodRawShape): z.ZodType {
  return z
    .union([
      z.strictObject({ ok: z.literal(true), ...done }),
      z.strictObject({ ok: z.literal(false), error: problemSchema }),
    ])
    .meta({ id });
}
