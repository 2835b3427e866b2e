import type { Duration, Rejection } from 'wherry';
import * as z from 'zod';
import { durationSchema } from './schemas/common.ts';
import { rejectionSchema } from './schemas/receipts.ts';

const id = z
  .union([z.string().max(64), z.number()])
  .optional()
  .describe("The client's own: comes back with the result.");
const receipts = z.array(z.string().max(1_024)).max(10_000);

/** What a push client sends, each a JSON text. */
export type ClientFrame = { readonly id?: string | number | undefined } & (
  | { readonly type: 'credit'; readonly n: number }
  | { readonly type: 'ack'; readonly receipts: string[] }
  | { readonly type: 'reject'; readonly items: Rejection[] }
  | { readonly type: 'extend'; readonly receipts: string[]; readonly leaseDuration: Duration }
);

export const clientFrameSchema: z.ZodType<ClientFrame> = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('credit'),
      id,
      n: z.int().min(1).describe('So many more messages may be sent.'),
    }),
    z.strictObject({ type: z.literal('ack'), id, receipts }),
    z.strictObject({ type: z.literal('reject'), id, items: z.array(rejectionSchema).max(10_000) }),
    z.strictObject({ type: z.literal('extend'), id, receipts, leaseDuration: durationSchema }),
  ])
  .meta({ id: 'PushClientFrame' });
