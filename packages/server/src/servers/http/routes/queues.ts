import type { QueueSettingsInput } from 'wherry';
import * as z from 'zod';
import { deadLetterTarget } from '../../../access/permissions.ts';
import { InvalidRequestError } from '../../../protocols/http/errors.ts';
import { flagSchema, queueParams } from '../../../protocols/http/schemas/common.ts';
import {
  type QueueListQuery,
  queueBody,
  queueListQuery,
  queueListSchema,
  queueSchema,
  queueSettingsInputSchema,
} from '../../../protocols/http/schemas/queue.ts';
import { definitionLimitsOf } from '../../../vhosts/definition-limits.ts';
import { infosOf } from '../queue-infos.ts';
import { type Call, defineRoute, type Route, type Rule } from '../route.ts';

const QUEUE = { scope: 'vhost', tag: 'queues' } as const;

const configure: Rule = { kind: 'resource', action: 'configure', of: 'queue', param: 'queue' };
const read: Rule = { kind: 'resource', action: 'read', of: 'queue', param: 'queue' };

export const queueRoutes: readonly Route[] = [
  defineRoute({
    ...QUEUE,
    id: 'listQueues',
    method: 'GET',
    url: '/queues',
    summary: 'List queues with their counts',
    description: 'Those that the caller may read, write or configure.',
    rule: { kind: 'vhost' },
    query: queueListQuery,
    responses: { 200: queueListSchema },
    handler: (call) => listQueues(call),
  }),
  defineRoute({
    ...QUEUE,
    id: 'createQueue',
    method: 'PUT',
    url: '/queues/:queue',
    summary: 'Create a queue',
    description: 'With settings that it has already, nothing changes.',
    rule: configure,
    params: queueParams,
    body: queueSettingsInputSchema.prefault({}),
    responses: { 200: queueSchema, 201: queueSchema },
    problems: ['QUEUE_EXISTS', 'LIMIT_REACHED', 'UNSUPPORTED'],
    handler: async ({ broker, vhost, mq, params: { queue: name }, body, reply, require }) => {
      requireTarget(body, require);
      const isNew = !mq.queueManager.hasQueue(name);
      if (isNew) definitionLimitsOf(vhost, mq, broker.config.limits).take('queues');
      await mq.createQueue({ name, ...body });
      void reply.status(isNew ? 201 : 200);
      return queueBody(await mq.getQueueInfo(name));
    },
  }),
  defineRoute({
    ...QUEUE,
    id: 'getQueue',
    method: 'GET',
    url: '/queues/:queue',
    summary: 'A queue, its settings and counts',
    rule: read,
    opensLocked: true,
    params: queueParams,
    responses: { 200: queueSchema },
    problems: ['QUEUE_NOT_FOUND'],
    handler: async ({ mq, params }) => queueBody(await mq.getQueueInfo(params.queue)),
  }),
  defineRoute({
    ...QUEUE,
    id: 'updateQueue',
    method: 'PATCH',
    url: '/queues/:queue',
    summary: "Change some of a queue's settings",
    rule: configure,
    params: queueParams,
    body: queueSettingsInputSchema,
    responses: { 200: queueSchema },
    problems: ['QUEUE_NOT_FOUND'],
    handler: async ({ mq, params, body, require }) => {
      requireTarget(body, require);
      await mq.updateQueue(params.queue, body);
      return queueBody(await mq.getQueueInfo(params.queue));
    },
  }),
  defineRoute({
    ...QUEUE,
    id: 'deleteQueue',
    method: 'DELETE',
    url: '/queues/:queue',
    summary: 'Delete a queue',
    description: 'One that holds messages only with `force`; they go with it.',
    rule: configure,
    params: queueParams,
    query: z.strictObject({ force: flagSchema }),
    responses: { 200: z.strictObject({ deleted: z.int().describe('Messages that went too.') }) },
    problems: ['QUEUE_NOT_FOUND', 'QUEUE_NOT_EMPTY'],
    handler: async ({ mq, params, query }) => ({
      deleted: await mq.deleteQueue(params.queue, { force: query.force }),
    }),
  }),
  defineRoute({
    ...QUEUE,
    id: 'purgeQueue',
    method: 'POST',
    url: '/queues/:queue/purge',
    summary: 'Remove what is ready or scheduled',
    rule: configure,
    params: queueParams,
    responses: { 200: z.strictObject({ purged: z.int() }) },
    problems: ['QUEUE_NOT_FOUND'],
    handler: async ({ mq, params }) => ({ purged: await mq.purgeQueue(params.queue) }),
  }),
  switchRoute('pause', 'Hand nothing out until the queue is resumed', true),
  switchRoute('resume', 'Hand out messages again', false),
];

function switchRoute(verb: 'pause' | 'resume', summary: string, paused: boolean): Route {
  return defineRoute({
    ...QUEUE,
    id: `${verb}Queue`,
    method: 'POST',
    url: `/queues/:queue/${verb}`,
    summary,
    rule: configure,
    params: queueParams,
    responses: { 200: queueSchema },
    problems: ['QUEUE_NOT_FOUND'],
    handler: async ({ mq, params }) => {
      await mq.updateQueue(params.queue, { paused });
      return queueBody(await mq.getQueueInfo(params.queue));
    },
  });
}

async function listQueues({ mq, query, allows }: Call<unknown, QueueListQuery>) {
  const { name, sort, order, limit, cursor } = query;
  const visible = mq
    .listQueues()
    .map((queue) => queue.name)
    .filter((queue) => name === undefined || queue.includes(name))
    .filter((queue) =>
      (['read', 'write', 'configure'] as const).some((action) => allows(action, queue)),
    );
  const begin = offsetOf(cursor);
  const end = begin + limit;
  const next = { total: visible.length, cursor: end < visible.length ? String(end) : null };
  if (sort === 'name') {
    const ordered = order === 'asc' ? visible : visible.toReversed();
    const infos = await infosOf(mq, ordered.slice(begin, end));
    return { queues: infos.map(queueBody), ...next };
  }
  const infos = await infosOf(mq, visible);
  const sign = order === 'asc' ? 1 : -1;
  infos.sort((a, b) => sign * ((a[sort] ?? -1) - (b[sort] ?? -1)) || (a.name < b.name ? -1 : 1));
  return { queues: infos.slice(begin, end).map(queueBody), ...next };
}

function offsetOf(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const offset = Number(cursor);
  if (Number.isSafeInteger(offset) && offset >= 0) return offset;
  const detail = 'is not one that a page has answered';
  throw new InvalidRequestError([{ field: 'query.cursor', detail }]);
}

/** Who names a dead-letter queue or exchange sends to it: a rejected message goes there. */
function requireTarget(settings: QueueSettingsInput, require: Call['require']): void {
  const { deadLetterQueue, deadLetterExchange, deadLetterRoutingKey } = settings;
  if (typeof deadLetterQueue === 'string') require('write', deadLetterQueue);
  if (typeof deadLetterExchange === 'string') {
    require('write', deadLetterTarget(deadLetterExchange, deadLetterRoutingKey));
  }
}
