import { MessageNotFoundError } from 'wherry';
import * as z from 'zod';
import {
  cursorSchema,
  limitSchema,
  nameSchema,
  queueParams,
} from '../../../protocols/http/schemas/common.ts';
import {
  storedMessage,
  storedMessageSchema,
  storedMessagesSchema,
} from '../../../protocols/http/schemas/message.ts';
import { fittingPage } from '../page.ts';
import { defineRoute, type Route, type Rule } from '../route.ts';

const read: Rule = { kind: 'resource', action: 'read', of: 'queue', param: 'queue' };

export const browseRoutes: readonly Route[] = [
  defineRoute({
    id: 'browseMessages',
    method: 'GET',
    url: '/queues/:queue/messages',
    scope: 'vhost',
    tag: 'messages',
    summary: 'Look at messages without taking them',
    description: 'A page may be shorter than its limit without being the last.',
    rule: read,
    params: queueParams,
    query: z.strictObject({
      state: z.enum(['ready', 'scheduled', 'leased']).default('ready'),
      cursor: cursorSchema,
      limit: limitSchema,
    }),
    responses: { 200: storedMessagesSchema },
    problems: ['QUEUE_NOT_FOUND'],
    handler: (call) => {
      const { mq, params, query } = call;
      return fittingPage(call, params.queue, query, (asked) =>
        mq.browse(params.queue, { state: query.state, ...asked }),
      );
    },
  }),
  defineRoute({
    id: 'getMessage',
    method: 'GET',
    url: '/queues/:queue/messages/:id',
    scope: 'vhost',
    tag: 'messages',
    summary: 'One message, whatever its state',
    rule: read,
    params: z.strictObject({ queue: nameSchema, id: z.string().max(255) }),
    responses: { 200: storedMessageSchema },
    problems: ['QUEUE_NOT_FOUND', 'MESSAGE_NOT_FOUND'],
    handler: async ({ mq, params: { queue, id } }) => {
      mq.getQueue(queue);
      const envelope = await mq.getMessage(id);
      if (envelope?.queueName !== queue) throw new MessageNotFoundError(id);
      return storedMessage(envelope);
    },
  }),
];
