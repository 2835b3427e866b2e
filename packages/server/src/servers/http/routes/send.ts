import type { IncomingHttpHeaders } from 'node:http';
import { type Message, type SendOptions, type SendResult, StorageError } from 'wherry';
import { queueParams } from '../../../protocols/http/schemas/common.ts';
import { InvalidRequestError } from '../../../protocols/http/errors.ts';
import { messageOfRaw } from '../../../protocols/http/raw-message.ts';
import { messageSchema, toMessage } from '../../../protocols/http/schemas/message.ts';
import {
  batchResultSchema,
  batchSchema,
  resultsBody,
  sentSchema,
} from '../../../protocols/http/schemas/send.ts';
import { checkBatch } from '../batch-limit.ts';
import { goneSignal } from '../client-gone.ts';
import { type Call, defineRoute, type Route, type Rule } from '../route.ts';

/** Of each route that stores messages. */
export const IDEMPOTENCY: Readonly<Record<string, string>> = {
  'Idempotency-Key': 'A request that is sent again with the same key stores nothing again.',
};

const write: Rule = { kind: 'resource', action: 'write', of: 'queue', param: 'queue' };

export const sendRoutes: readonly Route[] = [
  defineRoute({
    id: 'sendMessage',
    method: 'POST',
    url: '/queues/:queue/messages',
    scope: 'vhost',
    tag: 'messages',
    summary: 'Send a message',
    description:
      'JSON is the message with its fields. A body of any other media type is the payload itself: ' +
      'text of a `text/` type, else bytes; the other fields come from the headers `Wherry-Priority`, ' +
      '`-Ttl`, `-Delay`, `-Deliver-At`, `-Group-Id`, `-Deduplication-Id`, `-Correlation-Id`, ' +
      '`-Reply-To`, `-Message-Id`, `-Max-Retries` and `Wherry-Header-NAME`, percent-encoded.',
    rule: write,
    takesMessages: true,
    headers: IDEMPOTENCY,
    params: queueParams,
    body: messageSchema,
    rawBody: 'bytes',
    rawMediaTypes: ['text/plain', 'application/octet-stream'],
    responses: { 201: sentSchema, 200: sentSchema },
    problems: ['QUEUE_NOT_FOUND', 'QUEUE_FULL', 'PAYLOAD_TOO_LARGE'],
    handler: async (call) => {
      const { body, request, reply } = call;
      const message = Buffer.isBuffer(body) ? messageOfRaw(body, request.headers) : toMessage(body);
      const [result] = await sendAll(call, [message]);
      if (!result!.ok) throw result!.error;
      const { ok: _ok, ...sent } = result!;
      void reply.status(sent.duplicate ? 200 : 201);
      return sent;
    },
  }),
  defineRoute({
    id: 'sendBatch',
    method: 'POST',
    url: '/queues/:queue/messages/batch',
    scope: 'vhost',
    tag: 'messages',
    summary: 'Send several messages',
    description: 'Each is answered by itself. With `atomic` all are stored or none.',
    rule: write,
    takesMessages: true,
    headers: IDEMPOTENCY,
    params: queueParams,
    body: batchSchema,
    responses: { 200: batchResultSchema },
    problems: ['QUEUE_NOT_FOUND', 'UNSUPPORTED'],
    handler: async (call) => {
      const { messages, atomic } = call.body;
      checkBatch(messages.length, 'body.messages', call.services);
      const ready = messages.map((message, i) => toMessage(message, `body.messages[${i}]`));
      const results = await sendAll(call, ready, atomic);
      countStoreError(call, results);
      return { results: resultsBody(results) };
    },
  }),
];

/** What is told as a result is not thrown: whoever counts failures of the store must hear of it. */
export function countStoreError(
  { broker }: Pick<Call, 'broker'>,
  results: readonly SendResult[],
): void {
  for (const result of results) {
    if (result.ok || !(result.error instanceof StorageError)) continue;
    // They were stored together, so it is the same for all.
    broker.telemetry.countError(result.error);
    return;
  }
}

async function sendAll(
  call: Call<{ readonly queue: string }>,
  messages: readonly Message[],
  atomic = false,
): Promise<SendResult[]> {
  const { mq, params, request, reply, services } = call;
  const queue = mq.getQueue(params.queue);
  const { settings } = queue;
  const keyed = withIdempotencyKey(messages, request.headers, settings.deduplicationWindow);
  if (settings.overflow !== 'block') return mq.sendBatch(queue, keyed, { atomic });
  // Nobody waits for room on behalf of a client that has gone.
  const { signal, release } = goneSignal(reply, services.closing);
  try {
    const options: SendOptions = { signal };
    return await mq.sendBatch(queue, keyed, { ...options, atomic });
  } finally {
    release();
  }
}

/** How long the key counts where the queue itself remembers nothing. */
const KEY_WINDOW_MS = 300_000;

/**
 * The key makes the request one that may be sent again: it becomes each message's deduplication id.
 * @param window the queue's, in milliseconds
 */
export function withIdempotencyKey(
  messages: readonly Message[],
  headers: IncomingHttpHeaders,
  window: number,
  first = 0,
): readonly Message[] {
  const key = headers['idempotency-key'];
  if (key === undefined) return messages;
  const isOne = messages.length === 1 && first === 0;
  return messages.map((message, i) => {
    if (message.deduplicationId !== undefined || message.deduplication !== undefined) {
      const detail = 'excludes a deduplication of the message; give one of them';
      throw new InvalidRequestError([{ field: 'header.idempotency-key', detail }]);
    }
    const id = isOne ? String(key) : `${String(key)}:${first + i}`;
    return window > 0
      ? { ...message, deduplicationId: id }
      : { ...message, deduplication: { id, mode: 'throttle', window: KEY_WINDOW_MS } };
  });
}
