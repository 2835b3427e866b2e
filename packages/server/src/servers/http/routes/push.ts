import type { Duration } from 'wherry';
import * as z from 'zod';
import { durationMs } from '../../../protocols/http/duration.ts';
import { durationSchema, nameSchema, queueParams } from '../../../protocols/http/schemas/common.ts';
import { PushConnection } from '../push-connection.ts';
import { defineRoute, type Route } from '../route.ts';

/** A longer lease than a day is no lease. */
const LEASE_MAX_MS = 86_400_000;

export const pushRoutes: readonly Route[] = [
  defineRoute({
    id: 'pushMessages',
    method: 'GET',
    url: '/queues/:queue/push',
    scope: 'vhost',
    tag: 'messages',
    summary: 'Have messages pushed, over a WebSocket',
    description:
      'Frames are JSON texts. The client sends `{"type":"credit","n":100}` for as many messages as it can ' +
      'take, and `ack` and `extend` with `receipts`, `reject` with `items`, as in the requests of those ' +
      'names. The broker sends `message`, `result` and `error`. What was not settled goes back when the ' +
      'connection ends.',
    rule: { kind: 'resource', action: 'read', of: 'queue', param: 'queue' },
    params: queueParams,
    query: z.strictObject({
      consumer: nameSchema.optional(),
      leaseDuration: durationSchema.optional(),
    }),
    responses: { 101: null },
    problems: ['QUEUE_NOT_FOUND'],
    check: ({ mq, params, query }) => {
      mq.getQueue(params.queue);
      leaseMs(query.leaseDuration);
    },
    connect: (call, socket, revoked) => {
      const { consumer = `push:${call.identity.name}` } = call.query;
      const leaseDuration = leaseMs(call.query.leaseDuration);
      return new PushConnection(call, socket, { consumer, leaseDuration, revoked }).run();
    },
  }),
];

/** @throws InvalidRequestError */
function leaseMs(duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined;
  return durationMs(duration, 'query.leaseDuration', LEASE_MAX_MS);
}
