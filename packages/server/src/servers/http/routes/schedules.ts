import type { Schedule } from 'wherry';
import * as z from 'zod';
import {
  scheduleBody,
  scheduleInputSchema,
  scheduleListSchema,
  scheduleParams,
  scheduleSchema,
  ticksSchema,
  toScheduleConfig,
} from '../../../protocols/http/schemas/schedules.ts';
import { type Call, defineRoute, type Route } from '../route.ts';

const COMMON = {
  scope: 'vhost',
  tag: 'schedules',
  rule: { kind: 'handler', why: "whoever may write to the schedule's target may change it" },
} as const;

const TICKS_MAX = 1_000;
type NamedCall = Call<{ readonly schedule: string }>;

export const scheduleRoutes: readonly Route[] = [
  defineRoute({
    ...COMMON,
    id: 'listSchedules',
    method: 'GET',
    url: '/schedules',
    summary: 'List schedules',
    description: 'Those to whose target the caller may write, or which the caller may read.',
    rule: { kind: 'vhost' },
    responses: { 200: scheduleListSchema },
    handler: ({ mq, allows }) => {
      const schedules = mq.listSchedules().filter((schedule) => {
        const target = targetOf(schedule);
        return allows('read', target) || allows('write', target);
      });
      return { schedules: schedules.map(scheduleBody) };
    },
  }),
  defineRoute({
    ...COMMON,
    id: 'upsertSchedule',
    method: 'PUT',
    url: '/schedules/:schedule',
    summary: 'Create a schedule, or make it as it is given',
    params: scheduleParams,
    body: scheduleInputSchema,
    responses: { 200: scheduleSchema, 201: scheduleSchema },
    problems: ['QUEUE_NOT_FOUND', 'EXCHANGE_NOT_FOUND'],
    handler: async ({ mq, params, body, require, reply }) => {
      const present = mq.listSchedules().find(({ name }) => name === params.schedule);
      if (present !== undefined) require('write', targetOf(present));
      require('write', targetOf(body));
      const schedule = await mq.upsertSchedule(params.schedule, toScheduleConfig(body));
      void reply.status(present === undefined ? 201 : 200);
      return scheduleBody(schedule);
    },
  }),
  defineRoute({
    ...COMMON,
    id: 'getSchedule',
    method: 'GET',
    url: '/schedules/:schedule',
    summary: 'A schedule',
    params: scheduleParams,
    responses: { 200: scheduleSchema },
    problems: ['SCHEDULE_NOT_FOUND'],
    handler: (call) => scheduleBody(found(call)),
  }),
  defineRoute({
    ...COMMON,
    id: 'deleteSchedule',
    method: 'DELETE',
    url: '/schedules/:schedule',
    summary: 'Remove a schedule',
    params: scheduleParams,
    responses: { 204: null },
    problems: ['SCHEDULE_NOT_FOUND'],
    handler: async (call) => {
      await call.mq.removeSchedule(found(call).name);
      return call.reply.status(204).send();
    },
  }),
  defineRoute({
    ...COMMON,
    id: 'pauseSchedule',
    method: 'POST',
    url: '/schedules/:schedule/pause',
    summary: 'Send nothing until it is resumed',
    params: scheduleParams,
    responses: { 200: scheduleSchema },
    problems: ['SCHEDULE_NOT_FOUND'],
    handler: async (call) => scheduleBody(await call.mq.pauseSchedule(found(call).name)),
  }),
  defineRoute({
    ...COMMON,
    id: 'resumeSchedule',
    method: 'POST',
    url: '/schedules/:schedule/resume',
    summary: 'Go on from the next tick',
    params: scheduleParams,
    responses: { 200: scheduleSchema },
    problems: ['SCHEDULE_NOT_FOUND'],
    handler: async (call) => scheduleBody(await call.mq.resumeSchedule(found(call).name)),
  }),
  defineRoute({
    ...COMMON,
    id: 'nextTicks',
    method: 'GET',
    url: '/schedules/:schedule/ticks',
    summary: 'The next moments for which a message will be sent',
    params: scheduleParams,
    query: z.strictObject({
      count: z.coerce.number().int().min(1).max(TICKS_MAX).default(10),
    }),
    responses: { 200: ticksSchema },
    problems: ['SCHEDULE_NOT_FOUND'],
    handler: async (call) => {
      const ticks = await call.mq.nextTicks(found(call).name, call.query.count);
      return { ticks: ticks.map((tick) => tick.getTime()) };
    },
  }),
];

/** @throws ScheduleNotFoundError @throws ForbiddenError unless the caller may write to its target */
function found({ mq, params, require }: NamedCall | Call<{ schedule: string }, never>): Schedule {
  const schedule = mq.getSchedule(params.schedule);
  require('write', targetOf(schedule));
  return schedule;
}

/** The name of the queue or exchange that it sends to; of the default exchange: of the queue. */
function targetOf(schedule: {
  readonly queue?: string | null;
  readonly exchange?: string | null;
  readonly routingKey?: string | null;
}): string {
  const { queue, exchange, routingKey } = schedule;
  return queue ?? (exchange || routingKey) ?? '';
}
