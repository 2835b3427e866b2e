import type { SendResult } from 'wherry';
import * as z from 'zod';
import { type Problem, problemOf } from '../problem.ts';
import { resultSchema } from './common.ts';
import { type MessageInput, messageSchema } from './message.ts';

const sentShape = {
  id: z.string().describe('Of the stored message; of the first one, if it is a duplicate.'),
  duplicate: z.boolean().describe('It was sent before, and not stored again.'),
  replaced: z.literal(true).optional().describe('It took the place of one that waited.'),
};

export const sentSchema: z.ZodType = z.strictObject(sentShape).meta({ id: 'Sent' });

export const batchSchema: z.ZodType<{ messages: MessageInput[]; atomic: boolean }> = z
  .strictObject({
    messages: z.array(messageSchema),
    atomic: z.boolean().default(false).describe('All or none.'),
  })
  .meta({ id: 'Batch' });

const sendResultSchema = resultSchema('SendResult', sentShape);

export const batchResultSchema: z.ZodType = z
  .strictObject({ results: z.array(sendResultSchema).describe('In the order of the request.') })
  .meta({ id: 'BatchResult' });

/** Results with their errors as problems. */
export function resultsBody<Result extends { readonly ok: boolean }>(
  results: readonly (Result | (SendResult & { ok: false }))[],
): (Result | { ok: false; error: Problem })[] {
  return results.map((result) =>
    'error' in result ? { ok: false, error: problemOf(result.error).problem } : result,
  );
}
