import type { Schedule, ScheduleConfig } from 'wherry';
import * as z from 'zod';
import { durationSchema, millisecondsSchema, nameSchema, timeSchema } from './common.ts';
import { type MessageInput, messageSchema, payloadFields, toMessage } from './message.ts';

const momentSchema = z
  .union([z.number(), z.iso.datetime({ offset: true })], {
    error: 'it must be milliseconds since 1970, or an ISO 8601 time with an offset',
  })
  .describe('Milliseconds since 1970, or ISO 8601.');

export interface ScheduleInput extends Omit<
  ScheduleConfig,
  'queue' | 'message' | 'startAt' | 'endAt'
> {
  readonly queue?: string;
  readonly message: MessageInput;
  readonly startAt?: number | string;
  readonly endAt?: number | string;
}

const catchUpSchema = z.enum(['none', 'latest', 'all']);

export const scheduleParams: z.ZodType<{ schedule: string }> = z.strictObject({
  schedule: nameSchema,
});

export const scheduleInputSchema: z.ZodType<ScheduleInput> = z
  .strictObject({
    cron: z.string().optional().describe('Five fields, or six with seconds in front.'),
    timezone: z.string().optional().describe('Of `cron`: an IANA name. Default UTC.'),
    every: durationSchema.optional().describe('Instead of `cron`, from 1 s on.'),
    queue: nameSchema.optional().describe('Where the messages go: a queue, or …'),
    exchange: z.string().max(255).optional().describe('… an exchange.'),
    routingKey: z.string().optional(),
    message: messageSchema,
    catchUp: catchUpSchema.optional().describe('What becomes of ticks that nobody could send.'),
    startAt: momentSchema.optional(),
    endAt: momentSchema.optional(),
    limit: z.int().min(1).optional().describe('Most messages sent in all.'),
  })
  .meta({ id: 'ScheduleInput' });

export const scheduleSchema: z.ZodType = z
  .strictObject({
    name: z.string(),
    cron: z.string().nullable(),
    timezone: z.string().nullable(),
    every: millisecondsSchema.nullable(),
    queue: z.string().nullable(),
    exchange: z.string().nullable(),
    routingKey: z.string().nullable(),
    message: messageSchema,
    catchUp: catchUpSchema,
    startAt: timeSchema.nullable(),
    endAt: timeSchema.nullable(),
    limit: z.int().nullable(),
    paused: z.boolean(),
    createdAt: timeSchema,
    lastTick: timeSchema.nullable().describe('The last one whose message was sent.'),
    sent: z.int().describe('Messages sent in all.'),
  })
  .meta({ id: 'Schedule' });

export const scheduleListSchema: z.ZodType = z
  .strictObject({ schedules: z.array(scheduleSchema) })
  .meta({ id: 'ScheduleList' });

export const ticksSchema: z.ZodType = z.strictObject({ ticks: z.array(timeSchema) });

/** @throws InvalidRequestError */
export function toScheduleConfig({
  message,
  startAt,
  endAt,
  ...rest
}: ScheduleInput): ScheduleConfig {
  return {
    ...rest,
    message: toMessage(message, 'body.message'),
    ...(startAt !== undefined && { startAt: momentOf(startAt) }),
    ...(endAt !== undefined && { endAt: momentOf(endAt) }),
  };
}

function momentOf(moment: number | string): number {
  return typeof moment === 'number' ? moment : Date.parse(moment);
}

/** The body of a `Schedule`. */
export function scheduleBody(schedule: Schedule): Record<string, unknown> {
  const { message, startAt, endAt, createdAt, lastTick } = schedule;
  return {
    ...schedule,
    message: { ...message, ...payloadFields(message.payload) },
    startAt: startAt?.getTime() ?? null,
    endAt: endAt?.getTime() ?? null,
    createdAt: createdAt.getTime(),
    lastTick: lastTick?.getTime() ?? null,
  };
}
