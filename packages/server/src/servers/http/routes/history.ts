import * as z from 'zod';
import { HISTORY_RANGES, type Chart } from '../../../telemetry/history.ts';
import { SERIES, type SeriesName } from '../../../telemetry/ring.ts';
import { defineRoute, type Route } from '../route.ts';

const values = z.array(z.number().nullable());

const chartSchema = z
  .object({
    step: z.number().describe('milliseconds between two values'),
    from: z.number().describe('the time of the first value, in milliseconds since 1970'),
    series: z.object(
      Object.fromEntries(SERIES.map((name) => [name, values])) as Record<SeriesName, typeof values>,
    ),
  })
  .describe(
    'Numbers of messages at the end of each step; in and out per second; milliseconds: oldestAge, and what ' +
      'half (waitP50) and 99 % (waitP99) waited at most for their first delivery by this broker; ' +
      'null where the broker did not look',
  );

const range = z
  .enum(HISTORY_RANGES)
  .default('minutes')
  .describe('10 minutes in steps of 5 s, 3 hours in steps of a minute, a day in steps of 10');

/** Until the first look, some seconds after a queue was made. */
const NOTHING: Chart = {
  step: 0,
  from: 0,
  series: Object.fromEntries(SERIES.map((name) => [name, []])) as unknown as Chart['series'],
};

export const historyRoutes: readonly Route[] = [
  defineRoute({
    id: 'getQueueHistory',
    method: 'GET',
    url: '/queues/:queue/history',
    scope: 'vhost',
    tag: 'queues',
    summary: "A queue's chart: depth, rates and waits over time",
    rule: { kind: 'resource', action: 'read', of: 'queue', param: 'queue' },
    opensLocked: true,
    params: z.strictObject({ queue: z.string() }),
    query: z.strictObject({ range }),
    responses: { 200: chartSchema },
    problems: ['QUEUE_NOT_FOUND'],
    handler: ({ broker, vhost, mq, params, query }) => {
      mq.getQueue(params.queue);
      return broker.telemetry.history.read(vhost, params.queue, query.range) ?? NOTHING;
    },
  }),
  defineRoute({
    id: 'getHistory',
    method: 'GET',
    url: '/overview/history',
    scope: 'vhost',
    tag: 'broker',
    summary: 'The same for all queues of the virtual host together',
    rule: { kind: 'vhost' },
    query: z.strictObject({ range }),
    responses: { 200: chartSchema },
    handler: ({ broker, vhost, query }) =>
      broker.telemetry.history.readTotal(vhost, query.range) ?? NOTHING,
  }),
];
