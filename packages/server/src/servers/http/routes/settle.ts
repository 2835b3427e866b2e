import type { ReceiptResult } from 'wherry';
import type * as z from 'zod';
import { queueParams } from '../../../protocols/http/schemas/common.ts';
import {
  acknowledgeSchema,
  extendSchema,
  rejectSchema,
  settledSchema,
} from '../../../protocols/http/schemas/receipts.ts';
import { resultsBody } from '../../../protocols/http/schemas/send.ts';
import { checkBatch } from '../batch-limit.ts';
import { type Call, defineRoute, type Route } from '../route.ts';

export const settleRoutes: readonly Route[] = [
  settleRoute('acknowledge', 'Done: the messages are gone', acknowledgeSchema, (call) => {
    const { receipts } = call.body;
    checkBatch(receipts.length, 'body.receipts', call.services);
    return call.mq.receiptManager.acknowledge(receipts, call.params);
  }),
  settleRoute(
    'reject',
    'Failed: tried again, given back or dead-lettered',
    rejectSchema,
    (call) => {
      const { items } = call.body;
      checkBatch(items.length, 'body.items', call.services);
      return call.mq.receiptManager.reject(items, call.params);
    },
  ),
  settleRoute('extend', 'Keep the leases longer', extendSchema, (call) => {
    const { receipts, leaseDuration } = call.body;
    checkBatch(receipts.length, 'body.receipts', call.services);
    return call.mq.receiptManager.extend(receipts, leaseDuration, call.params);
  }),
];

function settleRoute<Body extends z.ZodType>(
  verb: string,
  summary: string,
  body: Body,
  settle: (
    call: Call<{ readonly queue: string }, unknown, z.output<Body>>,
  ) => Promise<ReceiptResult[]>,
): Route {
  return defineRoute({
    id: `${verb}Messages`,
    method: 'POST',
    url: `/queues/:queue/${verb}`,
    scope: 'vhost',
    tag: 'messages',
    summary,
    description:
      'By receipt, answered one by one. One that is wrong, late or of another queue is LEASE_LOST.',
    rule: { kind: 'resource', action: 'read', of: 'queue', param: 'queue' },
    params: queueParams,
    body,
    responses: { 200: settledSchema },
    problems: ['QUEUE_NOT_FOUND'],
    handler: async (call) => {
      call.mq.getQueue(call.params.queue);
      return { results: resultsBody(await settle(call)) };
    },
  });
}
