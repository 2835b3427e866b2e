import type { Duration, Rejection } from 'wherry';
import * as z from 'zod';
import { durationSchema, nameSchema, resultSchema } from './common.ts';
import { receivedMessageSchema } from './message.ts';

export interface ReceiveInput {
  readonly max: number;
  readonly wait: Duration;
  readonly leaseDuration?: Duration | undefined;
  readonly consumer?: string | undefined;
}

export const receiveSchema: z.ZodType<ReceiveInput> = z
  .strictObject({
    max: z.int().min(1).default(1).describe('Most messages.'),
    wait: durationSchema.default(0).describe('How long to wait for the first. At most a minute.'),
    leaseDuration: durationSchema.optional().describe("Instead of the queue's."),
    consumer: nameSchema.optional().describe('Who receives, for people who look.'),
  })
  .meta({ id: 'Receive' });

export const receivedSchema: z.ZodType = z
  .strictObject({ messages: z.array(receivedMessageSchema) })
  .meta({ id: 'Received' });

const receipts = z.array(z.string().max(1_024)).describe('Of messages of this queue.');

/** What settles by receipt alone. */
export interface ReceiptsInput {
  readonly receipts: string[];
}

export const acknowledgeSchema: z.ZodType<ReceiptsInput> = z
  .strictObject({ receipts })
  .meta({ id: 'Acknowledge' });

export const rejectionSchema: z.ZodType<Rejection> = z
  .strictObject({
    receipt: z.string().max(1_024),
    reason: z.string().optional().describe('Kept with the death, should it die of this.'),
    delay: durationSchema.optional().describe("Instead of the queue's back-off."),
    requeue: z.boolean().optional().describe('Back at once, without counting as a retry.'),
    deadLetter: z.boolean().optional().describe('Straight to the dead letters.'),
  })
  .meta({ id: 'Rejection' });

export const rejectSchema: z.ZodType<{ items: Rejection[] }> = z
  .strictObject({ items: z.array(rejectionSchema) })
  .meta({ id: 'Reject' });

export const extendSchema: z.ZodType<ReceiptsInput & { leaseDuration: Duration }> = z
  .strictObject({ receipts, leaseDuration: durationSchema.describe('From now on.') })
  .meta({ id: 'Extend' });

export const settledSchema: z.ZodType = z
  .strictObject({
    results: z.array(resultSchema('SettleResult', {})).describe('In the order of the request.'),
  })
  .meta({ id: 'Settled' });
