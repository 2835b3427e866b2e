import type { Delivery, ReceiveOptions } from 'wherry';
import { ClosedError } from 'wherry';
import * as z from 'zod';
import { InvalidRequestError } from '../../../protocols/http/errors.ts';
import { rawOfDelivery } from '../../../protocols/http/raw-message.ts';
import { flagSchema, queueParams } from '../../../protocols/http/schemas/common.ts';
import { receivedMessage } from '../../../protocols/http/schemas/message.ts';
import {
  type ReceiveInput,
  receiveSchema,
  receivedSchema,
} from '../../../protocols/http/schemas/receipts.ts';
import { checkBatch } from '../batch-limit.ts';
import { countFitting, divide } from '../fitting.ts';
import { goneSignal, isGone, onGone } from '../client-gone.ts';
import { durationMs } from '../../../protocols/http/duration.ts';
import { type Call, defineRoute, type Route } from '../route.ts';

type ReceiveCall = Call<{ readonly queue: string }, { readonly raw: boolean }, ReceiveInput>;

export const receiveRoutes: readonly Route[] = [
  defineRoute({
    id: 'receiveMessages',
    method: 'POST',
    url: '/queues/:queue/receive',
    scope: 'vhost',
    tag: 'messages',
    summary: 'Receive messages, with a lease',
    description:
      'Each must be acknowledged, rejected or extended by its receipt before the lease ends, or it is ' +
      'tried again. With `wait` the request is answered as soon as there is a message. With `?raw` one ' +
      "message's payload is the body, the rest is in headers; 204 when there is none.",
    rule: { kind: 'resource', action: 'read', of: 'queue', param: 'queue' },
    params: queueParams,
    query: z.strictObject({ raw: flagSchema }),
    body: receiveSchema.prefault({ max: 1, wait: 0 }),
    responses: { 200: receivedSchema, 204: null },
    problems: ['QUEUE_NOT_FOUND'],
    handler: async (call: ReceiveCall) => {
      const input = call.body;
      if (call.query.raw && input.max > 1) {
        const detail = `is ${input.max}; with ?raw one message is received at a time`;
        throw new InvalidRequestError([{ field: 'body.max', detail }]);
      }
      const deliveries = await receive(call, input);
      if (!call.query.raw) return { messages: deliveries.map(receivedMessage) };
      const [delivery] = deliveries;
      if (delivery === undefined) return call.reply.status(204).send();
      const { body, headers } = rawOfDelivery(delivery);
      return call.reply.headers(headers).send(body);
    },
  }),
];

async function receive(call: ReceiveCall, input: ReceiveInput): Promise<readonly Delivery[]> {
  const { services, reply, mq, params } = call;
  const { limits, bytes } = services;
  checkBatch(input.max, 'body.max', services);
  const waitMs = durationMs(input.wait, 'body.wait', limits.longPollMs);
  bytes.check();
  const max = await countFitting(mq, params.queue, input.max, limits.bodyBytes);
  const some = { ...input, max };
  const deliveries = await (waitMs === 0 ? take(call, some) : poll(call, some, waitMs));
  if (deliveries.length === 0) return deliveries;
  // Whoever has gone has seen nothing of them: somebody else gets them at once.
  if (isGone(reply)) {
    giveBack(call, deliveries);
    return [];
  }
  const { fitting, rest, bytes: size } = divide(deliveries, limits.bodyBytes);
  if (rest.length > 0) giveBack(call, rest);
  onGone(reply, () => giveBack(call, fitting));
  services.holdFor(reply, size);
  return fitting;
}

/** Waits for a message, as one of a bounded number. Ends with nothing when the server closes. */
async function poll(call: ReceiveCall, input: ReceiveInput, waitMs: number): Promise<Delivery[]> {
  const { services, reply } = call;
  services.longPolls.hold(1);
  const remove = services.receivers.add(call, {
    kind: 'poll',
    consumer: consumerOf(call, input),
    held: () => null,
    credit: () => input.max,
  });
  const { signal, release } = goneSignal(reply, services.closing);
  try {
    return await take(call, input, { waitMs, signal });
  } catch (error) {
    if (signal.aborted || error instanceof ClosedError) return [];
    throw error;
  } finally {
    release();
    remove();
    services.longPolls.release(1);
  }
}

/** The name that the leases carry. */
function consumerOf({ identity }: ReceiveCall, { consumer }: ReceiveInput): string {
  return consumer ?? `http:${identity.name}`;
}

function take(
  call: ReceiveCall,
  input: ReceiveInput,
  wait: ReceiveOptions = {},
): Promise<Delivery[]> {
  const { leaseDuration } = input;
  return call.mq.receiveMessage(call.params.queue, consumerOf(call, input), {
    max: input.max,
    ...wait,
    ...(leaseDuration !== undefined && { leaseDuration }),
  });
}

function giveBack({ mq, request }: ReceiveCall, deliveries: readonly Delivery[]): void {
  const receipts = deliveries.map((delivery) => delivery.receipt);
  mq.receiptManager.giveBack(receipts).catch((error: unknown) => {
    // Their leases end by time, then.
    request.log.warn({ err: error }, 'messages of a client that has gone could not be given back');
  });
}
